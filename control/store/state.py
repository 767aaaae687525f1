"""The state machine: commits in log order become results and changes.

Every engine feeds it and no one else decides: preconditions are judged, revisions assigned and
terms compared here, so every member that applies the same log holds the same state (`checksum`
says so). It never raises for input: a bad commit fails as a result. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.control.store.batches import columns, creations
from holdfast.control.store.batches.checksums import check
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
    flaw,
    new_tuple,
)
from holdfast.control.store.retries import Remembered, Retries

CHECKSUM_MASK = (1 << 63) - 1


class Applied(NamedTuple):
    """What one commit did. result None: its id is known but its result is no longer kept.

    remembered: the new row of the table of ids, None for a repeat or a commit without an id.
    """

    result: Result | None
    changes: tuple[Change, ...]
    remembered: Remembered | None


@dataclass(slots=True)
class Position:
    """Where a state stands. checksum: the sum of `check` over its rows, modulo 2^63."""

    revision: int = 0
    floor: int = 0
    checksum: int = 0


class State:
    """All objects now, the table of ids, and the position. Loaded from an image or empty."""

    def __init__(self, retries: Retries | None = None) -> None:
        self.retries = retries or Retries()
        self.position = Position()
        self._tables: dict[str, dict[Key, Row]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def load(self, rows: Iterable[Row]) -> None:
        """Add rows of an image; `position` other than its checksum is the caller's to set."""
        for row in rows:
            self._put(row)

    def row(self, key: Key) -> Row | None:
        """The object at a key."""
        table = self._tables.get(key.resource)
        return table.get(key) if table else None

    def rows(self, resource: str) -> list[Row]:
        """The objects of a resource, ordered by namespace and name."""
        return sorted(self._tables.get(resource, {}).values())

    def all_rows(self) -> Iterator[Row]:
        """Every object, in no promised order."""
        for table in self._tables.values():
            yield from table.values()

    def compact(self, floor: int) -> None:
        """Raise the floor, never above the revision and never down."""
        self.position.floor = max(self.position.floor, min(floor, self.position.revision))

    def apply(self, term: int, commit: Commit) -> Applied:
        """Judge one commit of a log entry of this term and make its changes.

        A repeated id gets the first result and changes nothing.
        """
        if commit.id:
            first = self.retries.find(commit.id)
            if first is not None or self.retries.spent(commit.id):
                return Applied(first, (), None)
        outcomes, changes = self._judge(term, commit)
        result = Result(tuple(outcomes), self.position.revision)
        remembered = self.retries.remember(commit.id, result) if commit.id else None
        return Applied(result, tuple(changes), remembered)

    def _judge(self, term: int, commit: Commit) -> tuple[list[Outcome], Sequence[Change]]:
        if commit.term not in (0, term):
            return refused(commit, Refusal.TERM), []
        if commit.atomic:
            refusals = self._refuse_atomic(commit)
            if refusals:
                return refusals, []
        made = self._create(commit.writes) if len(commit.writes) >= columns.FEWEST else None
        if made:
            return made.outcomes, made.changes
        done: list[_Done] = []
        outcomes = [self._write(write, done) for write in commit.writes]
        end = self.position.revision  # known only now: refused writes take no revision
        return outcomes, [new_tuple(Change, (*one, end)) for one in done]

    def _refuse_atomic(self, commit: Commit) -> list[Outcome]:
        """The outcomes of an atomic commit that cannot happen; empty when it can."""
        if flaw(commit):
            return refused(commit, Refusal.LIMIT)
        for compare in commit.compares:
            row = self.row(compare.key)
            revision = row.revision if row else 0
            if compare.expect not in (ANY, revision):
                return refused(commit, Refusal.COMPARE, revision)
        found = [_refuse(write, self.row(write.key)) for write in commit.writes]
        if not any(found):
            return []
        return [one or Outcome(0, Refusal.NOT_DONE) for one in found]

    def _create(self, writes: Sequence[Write]) -> creations.Created | None:
        """Make objects, all at once when that is all that these writes do; else do nothing."""
        resource = writes[0].key.resource
        position, table = self.position, self._tables.get(resource, {})
        made = creations.created(table, writes, position.revision)
        if made:
            table.update(made.rows)
            self._tables[resource] = table
            position.revision += len(writes)
            position.checksum = (position.checksum + made.checksum) & CHECKSUM_MASK
        return made

    def _write(self, write: Write, done: list[_Done]) -> Outcome:
        """Judge one write and make its change."""
        key, value, expect = write
        table = self._tables.get(key[0])
        row = table.get(key) if table else None
        if row is not None or value is None or expect > 0:
            refusal = _refuse(write, row)
            if refusal:
                return refusal
        position = self.position
        position.revision = revision = position.revision + 1
        created, previous, replaced = revision, None, 0
        if row is not None:
            _, previous, replaced, created = row
            position.checksum = (position.checksum - check(row)) & CHECKSUM_MASK
        if value is not None:
            self._put(new_tuple(Row, (key, value, revision, created)))
        else:
            assert table is not None  # a delete of what is not there was refused
            del table[key]
        done.append((revision, key, value, previous, created, replaced))
        outcome: Outcome = new_tuple(Outcome, (revision, None, 0))
        return outcome

    def _put(self, row: Row) -> None:
        key = row[0]
        table = self._tables.get(key[0])
        if table is None:
            table = self._tables[key[0]] = {}
        table[key] = row
        position = self.position
        position.checksum = (position.checksum + check(row)) & CHECKSUM_MASK


_Done = tuple[int, Key, bytes | None, bytes | None, int, int]
"""The fields of a Change without its end."""


def refused(commit: Commit, refusal: Refusal, current: int = 0) -> list[Outcome]:
    """Every write of a commit refused for one reason."""
    return [Outcome(0, refusal, current) for _ in commit.writes]


def _refuse(write: Write, row: Row | None) -> Outcome | None:
    """Why a write cannot happen on what is there; None = it can."""
    if row is None:
        if write.value is None or write.expect > 0:
            return Outcome(0, Refusal.MISSING)
        return None
    if write.expect in (ANY, row.revision):
        return None
    refusal = Refusal.EXISTS if write.expect == ABSENT else Refusal.STALE
    return Outcome(0, refusal, row.revision)
