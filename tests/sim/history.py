"""What clients did and were told, and what the members say happened: the checkers' only input.

Clients record operations and watches here as they go; members record the changes they applied.
Times are those of the one true clock of the simulation, in seconds. Every value written is
unique (`token`), so a value found anywhere names the write it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import Change, Commit, Key, Result, Row

NEVER = float("inf")


class Kind(StrEnum):
    """What an operation is."""

    WRITE = "write"
    READ = "read"  # linearizable, one key
    LIST = "list"  # linearizable, all keys of a resource
    PAGE = "page"  # all keys of a resource as they were at a revision asked for
    STALE = "stale"  # one key from whatever a member's cache has


@dataclass(slots=True)
class Operation:
    """One operation of a client, all its tries together.

    returned: NEVER when its outcome is not known. result: of a write. revision, rows: what a
    read was answered with, and at which revision. member: who answered.
    """

    number: int
    client: int
    kind: Kind
    invoked: float
    commit: Commit | None = None
    key: Key | None = None
    resource: str = ""
    returned: float = NEVER
    result: Result | None = None
    revision: int = 0
    rows: Sequence[Row] = ()
    member: int = 0
    tries: int = 0
    failed: bool = False  # it certainly did not happen

    @property
    def known(self) -> bool:
        """It was answered."""
        return self.returned != NEVER


@dataclass(slots=True)
class Seen:
    """One event as a watcher got it."""

    type: EventType
    revision: int
    key: Key | None
    value: bytes | None


@dataclass(slots=True)
class Page:
    """One batch of a watch. revision: what it may be resumed after, 0 = not yet."""

    events: list[Seen]
    revision: int


@dataclass(slots=True)
class Watch:
    """One connection of a watch. after: what it asked to resume after, 0 = the initial state.
    member: who served it. expired: it was told that `after` is below the floor."""

    number: int
    resource: str
    after: int
    member: int
    pages: list[Page] = field(default_factory=list)
    expired: bool = False

    @property
    def reached(self) -> int:
        """The revision up to which it has told all."""
        return self.pages[-1].revision if self.pages else self.after


@dataclass
class History:
    """One run. terms: of the log entry that each revision stood in. floor: the highest floor that
    anybody asked for. finished: how many operations were answered."""

    operations: list[Operation] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    terms: dict[int, int] = field(default_factory=dict)
    floor: int = 0
    finished: int = 0

    def begin(self, client: int, kind: Kind, now: float) -> Operation:
        """A client begins an operation."""
        operation = Operation(len(self.operations) + 1, client, kind, now)
        self.operations.append(operation)
        return operation

    def finish(self, operation: Operation, now: float) -> None:
        """An operation was answered."""
        operation.returned = now
        self.finished += 1

    def connect(self, resource: str, after: int, member: int) -> Watch:
        """A client begins, or resumes, a watch."""
        watch = Watch(len(self.watches) + 1, resource, after, member)
        self.watches.append(watch)
        return watch


def token(operation: int, at: int) -> bytes:
    """The unique value of write number `at` of an operation."""
    return b"%d.%d" % (operation, at)


def origin(value: bytes) -> int:
    """The operation that wrote a value; 0 = none of ours (a member's row)."""
    number = value.split(b".")[0]
    return int(number) if number.isdigit() else 0
