"""R: replay in revision order. Every answer fits the revision it names, and real time fits them.

A write that happened must be the change at its revision, and its precondition must have held just
before; one that was refused must have found what it says it found. A read or list must be the
state at its revision. What was finished before something began lies below it; what an answer
shows was begun before that answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.control.store.commands import ABSENT, ANY, Key, Outcome, Refusal, Write
from tests.sim.checkers.versions import Versions
from tests.sim.history import NEVER, History, Kind, Operation, origin


def check(history: History) -> Iterator[str]:
    """One sentence for every answer that does not fit."""
    versions = Versions(history.changes)
    yield from _explained(history)
    for operation in history.operations:
        if not operation.known:
            continue
        if operation.kind == Kind.WRITE:
            yield from _write(operation, versions)
        elif operation.kind in (Kind.LIST, Kind.PAGE):
            yield from _list(operation, versions)
        else:
            yield from _read(operation, versions)
    yield from _real_time(history)


def _explained(history: History) -> Iterator[str]:
    """Every change comes from a write that somebody began."""
    wanted = {
        (write.key, write.value)
        for operation in history.operations
        if operation.commit
        for write in operation.commit.writes
    }
    failed = {one.number for one in history.operations if one.failed}
    for change in history.changes:
        if change.key.resource.startswith("~"):
            continue  # the control nodes' own rows
        if (change.key, change.value) not in wanted:
            yield f"revision {change.revision} ({change.key.name}) was written by nobody"
        elif change.value is not None and origin(change.value) in failed:
            yield f"revision {change.revision} is of a write that was told it did not happen"


def _write(operation: Operation, versions: Versions) -> Iterator[str]:
    commit, result = operation.commit, operation.result
    assert commit and result
    name = f"write {operation.number}"
    done = [outcome.revision for outcome in result.outcomes if outcome.revision]
    if done and (done != [*range(done[0], done[0] + len(done))] or result.revision != done[-1]):
        yield f"{name} has revisions {done} and ends at {result.revision}: not one whole range"
        return
    before = done[0] - 1 if done else result.revision
    if result.revision > versions.newest:
        yield f"{name} was answered at revision {result.revision}, which nobody has reached"
        return
    own: dict[Key, int] = {}
    for write, outcome in zip(commit.writes, result.outcomes, strict=True):
        row = versions.at(write.key, before)
        found = own.get(write.key, row.revision if row else 0)
        if outcome.revision:
            yield from _done(name, write, outcome, found, versions)
            own[write.key] = 0 if write.value is None else outcome.revision
        elif not _justified(operation, write, outcome, found, versions):
            yield (
                f"{name} was refused {write.key.name} as {outcome.refusal} "
                f"({outcome.current}), but revision {found} was there and it expected "
                f"{write.expect}"
            )
    for revision in done:
        change = versions.changes.get(revision)
        if change and change.end != done[-1]:
            yield f"revision {revision} says its commit ends at {change.end}, not {done[-1]}"


def _done(
    name: str, write: Write, outcome: Outcome, found: int, versions: Versions
) -> Iterator[str]:
    change = versions.changes.get(outcome.revision)
    if change is None or (change.key, change.value) != (write.key, write.value):
        yield f"{name} was told revision {outcome.revision}, which is another change"
    if write.expect not in (ANY, found) or (write.value is None and not found):
        yield f"{name} happened at {write.key.name} though it expected {write.expect}, not {found}"


def _justified(
    operation: Operation, write: Write, outcome: Outcome, found: int, versions: Versions
) -> bool:
    """Could this write be refused so, finding this revision at its key?"""
    commit, result = operation.commit, operation.result
    assert commit and result
    match outcome.refusal:
        case Refusal.EXISTS:
            return write.expect == ABSENT and found == outcome.current > 0
        case Refusal.STALE:
            return write.expect not in (ABSENT, ANY, found) and found == outcome.current > 0
        case Refusal.MISSING:
            return found == 0 and (write.value is None or write.expect > 0)
        case Refusal.COMPARE:
            rows = [versions.at(one.key, result.revision) for one in commit.compares]
            return any(
                one.expect not in (ANY, row.revision if row else 0)
                for one, row in zip(commit.compares, rows, strict=True)
            )
        case Refusal.NOT_DONE:
            return any(o.refusal not in (None, Refusal.NOT_DONE) for o in result.outcomes)
        case Refusal.TERM:
            return commit.term != 0
    return False


def _read(operation: Operation, versions: Versions) -> Iterator[str]:
    assert operation.key
    row = versions.at(operation.key, operation.revision)
    if [*operation.rows] != ([row] if row else []):
        yield (
            f"{operation.kind} {operation.number} of {operation.key.name} at revision "
            f"{operation.revision} was answered {_names(operation.rows)}, there was "
            f"{_names([row] if row else [])}"
        )


def _list(operation: Operation, versions: Versions) -> Iterator[str]:
    rows = versions.all_at(operation.resource, operation.revision)
    if [*operation.rows] != rows:
        yield (
            f"list {operation.number} at revision {operation.revision} was answered "
            f"{_names(operation.rows)}, there was {_names(rows)}"
        )


def _names(rows: object) -> str:
    assert isinstance(rows, list | tuple)
    return ", ".join(f"{row.key.name}@{row.revision}" for row in rows) or "nothing"


def _real_time(history: History) -> Iterator[str]:
    """What ended before something began lies below it; nothing is shown before it began."""
    began = _began(history)
    known = [one for one in history.operations if one.known]
    ends = sorted((one.returned, one.result.revision if one.result else one.revision)
                  for one in known)  # fmt: skip
    floor, at = 0, 0
    for operation in sorted(known, key=lambda one: one.invoked):
        while at < len(ends) and ends[at][0] < operation.invoked:
            floor, at = max(floor, ends[at][1]), at + 1
        low, high = _place(operation)
        if operation.kind not in (Kind.STALE, Kind.PAGE) and low < floor:
            yield (
                f"{operation.kind} {operation.number} lies at revision {low}, but {floor} was "
                "answered before it began"
            )
        if high < len(began) and began[high] > operation.returned:
            yield (
                f"{operation.kind} {operation.number} saw revision {high} at "
                f"{operation.returned:.3f}, before its write began"
            )


def _place(operation: Operation) -> tuple[int, int]:
    """The revisions an operation lies between: what it must be at least, what it shows at most."""
    if operation.result is None:
        return operation.revision, operation.revision
    done = [outcome.revision for outcome in operation.result.outcomes if outcome.revision]
    # Its own first revision is one above the state it was judged on.
    return (done[0] - 1 if done else operation.result.revision), operation.result.revision


def _began(history: History) -> list[float]:
    """By revision: when the last write at or below it began."""
    invoked = {one.number: one.invoked for one in history.operations}
    began = [0.0]
    for change in sorted(history.changes):
        while len(began) < change.revision:
            began.append(began[-1])
        start = 0.0
        if change.value is not None and not change.key.resource.startswith("~"):
            start = invoked.get(origin(change.value), NEVER)
        began.append(max(began[-1], start))
    return began
