"""Gives every answer a revision, where the API names none, so that the checkers can judge it.

A refusal, a read of one object and "not found" say nothing of the store's revision. Such an answer
is right when it fits some revision between the newest that was answered before it was asked and
the newest whose write had begun when it came. The lowest one that fits is taken: it asks least of
whatever comes later, so no right history is made wrong. An answer that fits none is a violation of
replay by itself. What the control nodes wrote on their own account becomes one operation of
nobody's, which happened at any time. Pure module.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    Change,
    Commit,
    Key,
    Outcome,
    Refusal,
    Result,
    Row,
    Write,
)
from tests.integration.histories.ledger import RESOURCE, UNTOLD
from tests.sim.checkers.versions import Versions
from tests.sim.history import NEVER, History, Kind, Operation, origin

SOMETHING = 1 << 62
"""Write.expect of an update of whatever is there: found absent, it is refused as MISSING."""


def place(told: History, changes: Sequence[Change]) -> tuple[History, list[str]]:
    """The history that the checkers take, and a sentence for every answer that fits nowhere.

    told: as `ledger` reads it. changes: what happened, of all resources. The history has the writes
    of a batch as commits of their own.
    """
    changes, own = _with_tokens(changes)
    placer = _Placer(told, changes)
    history = History([own], list(told.watches), _apart(told, changes), {}, told.floor)
    sentences = []
    for operation in sorted(told.operations, key=lambda one: one.invoked):
        try:
            history.operations.append(placer.placed(operation))
        except _NowhereError as error:
            sentences.append(str(error))
    history.operations.sort(key=lambda one: one.number)
    return history, sentences


def _with_tokens(changes: Sequence[Change]) -> tuple[list[Change], Operation]:
    """The changes, those of other resources with a token for a value; and their operation."""
    found, writes = [], []
    for change in changes:
        if change.key.resource != RESOURCE:
            value = None if change.value is None else b"0.%d" % change.revision
            change = change._replace(value=value)
            writes.append(Write(change.key, value, ANY))
        found.append(change)
    own = Operation(0, 0, Kind.WRITE, 0.0, Commit(b"", writes))
    return found, own


def _apart(told: History, changes: Sequence[Change]) -> list[Change]:
    """The changes, each write of a batch as a commit of its own: as the operations have them."""
    apart = {
        outcome.revision
        for one in told.operations
        if one.commit and one.result and not one.commit.atomic
        for outcome in one.result.outcomes
    }
    return [one._replace(end=one.revision) if one.revision in apart else one for one in changes]


class _NowhereError(Exception):
    """An answer that fits no revision it could be of: one sentence."""


class _Placer:
    """Places operations, which come in the order they were begun."""

    def __init__(self, told: History, changes: Sequence[Change]) -> None:
        self._versions = Versions(changes)
        self._by_key: dict[Key, list[int]] = {}
        self._revisions: list[int] = []
        self._begun: list[float] = []  # beside _revisions: the last write up to it began then
        invoked = {one.number: one.invoked for one in told.operations}
        begun = 0.0
        for change in sorted(changes):
            self._by_key.setdefault(change.key, []).append(change.revision)
            if change.key.resource == RESOURCE and change.value is not None:
                begun = max(begun, invoked.get(origin(change.value), NEVER))
            self._revisions.append(change.revision)
            self._begun.append(begun)
        self._ended: list[tuple[float, int]] = []  # answers placed: when they came, revision
        self._floor = 0

    def placed(self, told: Operation) -> Operation:
        """The operation with every revision filled in. Raises _NowhereError."""
        if not told.known:
            return told
        while self._ended and self._ended[0][0] < told.invoked:
            self._floor = max(self._floor, heapq.heappop(self._ended)[1])
        operation = self._completed(told)
        result = operation.result
        revision = result.revision if result else operation.revision
        heapq.heappush(self._ended, (operation.returned, revision))
        return operation

    def _completed(self, told: Operation) -> Operation:
        if told.kind == Kind.WRITE:
            return self._write(told)
        rows = [self._with_creation(row) for row in told.rows]
        if told.revision != UNTOLD:
            return replace(told, rows=rows)
        assert told.key
        key = told.key
        wanted = rows[0] if rows else None
        revision = self._find(told, key, lambda _: self._at(key, _) == wanted)
        if revision is None:
            what = f"revision {wanted.revision}" if wanted else "nothing"
            raise self._nowhere(told, f"{key.name} answered {what}")
        return replace(told, rows=rows, revision=revision)

    def _with_creation(self, row: Row) -> Row:
        """The API tells no revision of the creation."""
        change = self._versions.changes.get(row.revision)
        if row.created != UNTOLD or change is None or change.key != row.key:
            return row
        return row._replace(created=change.created)

    def _write(self, told: Operation) -> Operation:
        commit, result = told.commit, told.result
        assert commit and result
        done = [outcome.revision for outcome in result.outcomes if outcome.revision]
        if done:
            return replace(told, result=Result(result.outcomes, max(done)))
        at = next(n for n, o in enumerate(result.outcomes) if o.refusal != Refusal.NOT_DONE)
        refusal, write = result.outcomes[at].refusal, commit.writes[at]
        assert refusal
        revision = self._find(
            told, write.key, lambda _: _refuses(write, refusal, self._revision(write.key, _))
        )
        if revision is None:
            raise self._nowhere(told, f"{write.key.name} refused as {refusal} ({write.expect})")
        outcomes = [*result.outcomes]
        outcomes[at] = Outcome(0, refusal, self._revision(write.key, revision))
        writes = [*commit.writes]
        if refusal == Refusal.MISSING and write.value is not None and write.expect == ANY:
            writes[at] = write._replace(expect=SOMETHING)
        return replace(
            told,
            commit=replace(commit, writes=writes),
            result=Result(tuple(outcomes), revision),
        )

    def _find(self, told: Operation, key: Key, fits: Callable[[int], bool]) -> int | None:
        """The lowest revision at which it may have been answered so."""
        return next((revision for revision in self._candidates(told, key) if fits(revision)), None)

    def _candidates(self, told: Operation, key: Key) -> Iterator[int]:
        """The lowest revision the operation may lie at, then every change of the key above."""
        low, high = self._window(told)
        yield low
        revisions = self._by_key.get(key, [])
        for revision in revisions[bisect_right(revisions, low) :]:
            if revision > high:
                return
            yield revision

    def _window(self, told: Operation) -> tuple[int, int]:
        low = 0 if told.kind == Kind.STALE else self._floor
        place = bisect_right(self._begun, told.returned)
        return low, max(low, self._revisions[place - 1] if place else 0)

    def _at(self, key: Key, revision: int) -> Row | None:
        return self._versions.at(key, revision)

    def _revision(self, key: Key, revision: int) -> int:
        row = self._at(key, revision)
        return row.revision if row else 0

    def _nowhere(self, told: Operation, what: str) -> _NowhereError:
        low, high = self._window(told)
        return _NowhereError(
            f"{told.kind} {told.number} at member {told.member} was of {what}, which fits no "
            f"revision from {low} to {high}"
        )


def _refuses(write: Write, refusal: Refusal, found: int) -> bool:
    """Whether a write can be refused so where this revision is found (0 = absent)."""
    match refusal:
        case Refusal.EXISTS:
            return write.expect == ABSENT and found > 0
        case Refusal.STALE:
            return write.expect > 0 and found not in (0, write.expect)
        case Refusal.MISSING:
            return found == 0 and (write.value is None or write.expect != ABSENT)
    return False
