"""Small histories for the checkers' own tests: a good one, to be bent into bad ones."""

from __future__ import annotations

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import (
    ABSENT,
    Change,
    Commit,
    Key,
    Outcome,
    Refusal,
    Result,
    Row,
    Write,
)
from tests.sim.history import History, Kind, Operation, Page, Seen, Watch

K = Key("things", "", "k")
M = Key("things", "", "m")


def write(
    history: History, at: float, *writes: Write, result: Result | None = None, term: int = 0
) -> Operation:
    """A write from `at` to `at` + 1, unknown without a result."""
    operation = history.begin(-1, Kind.WRITE, at)
    operation.commit = Commit(b"%d" % operation.number, writes, term=term)
    if result:
        operation.result, operation.returned = result, at + 1
    return operation


def read(history: History, at: float, row: Row | None, revision: int) -> Operation:
    """A linearizable read of K from `at` to `at` + 1."""
    operation = history.begin(-1, Kind.READ, at)
    operation.key, operation.returned = K, at + 1
    operation.rows, operation.revision = [row] if row else [], revision
    return operation


def done(*revisions: int) -> Result:
    """Every write happened."""
    return Result(tuple(Outcome(one) for one in revisions), revisions[-1])


def good() -> History:
    """K is made (1), read, changed with M in one commit (2, 3), refused, deleted (4)."""
    history = History()
    write(history, 0, Write(K, b"1.0", ABSENT), result=done(1))
    read(history, 2, Row(K, b"1.0", 1, 1), 1)
    write(history, 4, Write(K, b"3.0", 1), Write(M, b"3.1", ABSENT), result=done(2, 3))
    refused = Result((Outcome(0, Refusal.STALE, 2),), 3)
    write(history, 6, Write(K, b"4.0", 1), result=refused)
    write(history, 8, Write(K, None, 2), result=done(4))
    read(history, 10, None, 4)
    history.changes = [
        Change(1, K, b"1.0", None, 1, 0, 1),
        Change(2, K, b"3.0", b"1.0", 1, 1, 3),
        Change(3, M, b"3.1", None, 3, 0, 3),
        Change(4, K, None, b"3.0", 1, 2, 4),
    ]
    history.terms = {1: 1, 2: 1, 3: 1, 4: 2}
    return history


def watched(after: int = 0) -> tuple[History, Watch]:
    """The good history with a watch that saw all of it."""
    history = good()
    watch = history.connect("things", after, 1)
    if not after:
        bookmark = Seen(EventType.BOOKMARK, 1, None, None)
        watch.pages.append(Page([Seen(EventType.ADDED, 1, K, b"1.0"), bookmark], 1))
    modified = Seen(EventType.MODIFIED, 2, K, b"3.0")
    added = Seen(EventType.ADDED, 3, M, b"3.1")
    watch.pages.append(Page([modified, added], 3))
    watch.pages.append(Page([Seen(EventType.DELETED, 4, K, b"3.0")], 4))
    return history, watch
