"""Z: the history as calls on registers, one a key, for `linearizability`.

The register holds the revision at its key and the token of its value, 0 and b"" when it is
absent. A write that was never answered may set it to a value whose revision nobody knows: then
only the token counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.control.store.commands import ABSENT, ANY, Key, Refusal, Write
from tests.sim.checkers.linearizability import Call, linearizable
from tests.sim.history import History, Kind, Operation

Register = tuple[int, bytes]


class Put(NamedTuple):
    """Set the register, if `expect` fits. revision: what it was told, 0 = not known."""

    expect: int
    value: bytes
    revision: int


class Got(NamedTuple):
    """The register was seen to be this. value None: only its revision was told."""

    revision: int
    value: bytes | None


def step(state: Register, what: Put | Got) -> Register | None:
    """The register after an operation, None when it cannot have been so."""
    revision, value = state
    if isinstance(what, Got):
        same = what.revision == revision and what.value in (None, value)
        return state if same else None
    if what.expect not in (ANY, revision) or (not what.value and not revision):
        return None
    return (what.revision, what.value) if what.value else (0, b"")


def check(history: History) -> Iterator[str]:
    """One sentence for every key whose operations fit in no order."""
    found = {(change.key, change.value): change.revision for change in history.changes}
    gone: dict[Key, int] = {}
    for change in history.changes:
        if change.value is None:
            gone[change.key] = gone.get(change.key, 0) + 1
    calls: dict[Key, list[Call]] = {}
    for operation in history.operations:
        for key, what in _calls(operation, found, gone):
            returned = operation.returned if operation.known else None
            calls.setdefault(key, []).append(Call(operation.invoked, returned, what))
    for key in sorted(calls):
        if linearizable(calls[key], (0, b""), step) is False:
            yield f"the {len(calls[key])} operations on {key.name} fit in no order"


def _calls(
    operation: Operation, found: dict[tuple[Key, bytes | None], int], gone: dict[Key, int]
) -> Iterator[tuple[Key, Put | Got]]:
    if operation.kind == Kind.READ and operation.known:
        assert operation.key
        rows = operation.rows
        yield operation.key, Got(rows[0].revision, rows[0].value) if rows else Got(0, b"")
    elif operation.kind == Kind.LIST and operation.known:
        for row in operation.rows:
            yield row.key, Got(row.revision, row.value)
    elif operation.kind == Kind.WRITE and operation.commit and not operation.failed:
        if operation.result is None:
            for write in operation.commit.writes:
                yield from _unknown(write, found, gone)
            return
        for write, outcome in zip(operation.commit.writes, operation.result.outcomes, strict=True):
            if outcome.revision:
                yield write.key, Put(write.expect, write.value or b"", outcome.revision)
            elif outcome.refusal in (Refusal.EXISTS, Refusal.STALE):
                yield write.key, Got(outcome.current, None)
            elif outcome.refusal == Refusal.MISSING:
                yield write.key, Got(ABSENT, b"")


def _unknown(
    write: Write, found: dict[tuple[Key, bytes | None], int], gone: dict[Key, int]
) -> Iterator[tuple[Key, Put]]:
    """A write never answered. One whose value stands nowhere may be left out: a register that
    nobody saw needs no place."""
    if write.value is None:
        if gone.get(write.key):
            yield write.key, Put(write.expect, b"", 0)
    elif (write.key, write.value) in found:
        yield write.key, Put(write.expect, write.value, found[write.key, write.value])
