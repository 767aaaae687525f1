"""What memory has and the image has not: entries, the image's position, the rows in between.

Memory is the state machine; SQLite is its write-behind image. An engine notes here what it
applied (`note`, then `whole` at the end of each log entry), takes what its next transaction
writes (`unsaved`), and says when that is durable (`saved`). Only whole entries go into the
image, so a restart replays from `applied` + 1. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from zlib import crc32

from holdfast.control.store.commands import Change
from holdfast.control.store.history import Tail
from holdfast.control.store.retries import Remembered
from holdfast.control.store.state import State


@dataclass(frozen=True, slots=True)
class Meta:
    """Where an image stands: it holds all entries up to `applied`, whose checksum is log_crc."""

    cluster_id: str
    term: int = 0
    applied: int = 0
    log_crc: int = 0
    revision: int = 0
    floor: int = 0
    checksum: int = 0
    last_retry: int = 0

    @property
    def crc(self) -> int:
        """Detects flipped bytes in the meta row itself."""
        return crc32(repr(astuple(self)).encode())


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry. crc: `records.chain` over the entry before it."""

    index: int
    term: int
    crc: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Behind:
    """What was applied and is not in the image: rows up to a whole entry, and where it stood.

    pruned: the first positions of the table of ids whose result is kept, in the image and now.
    """

    meta: Meta
    changes: Sequence[Change]
    retries: Sequence[Remembered]
    pruned: tuple[int, int]
    spent_from: int


class WriteBehind:
    """The rows between the image and the state. `tail` also answers reads of history."""

    def __init__(self, meta: Meta, state: State) -> None:
        """meta: where the image stands; state: as loaded from it."""
        self.image = meta
        self.tail = Tail(meta.revision)
        self._state = state
        self._remembered: list[Remembered] = []
        self._saved_results_from = state.retries.results_from
        self._mark = (meta, self._saved_results_from, state.retries.spent_from)

    def note(self, changes: Sequence[Change], remembered: Remembered | None) -> None:
        """One command was applied."""
        self.tail.add(changes)
        if remembered:
            self._remembered.append(remembered)

    def whole(self, entry: Entry) -> None:
        """All commands of this entry are applied: the image may hold them from now on."""
        position, retries = self._state.position, self._state.retries
        meta = Meta(
            self.image.cluster_id, entry.term, entry.index, entry.crc, position.revision,
            position.floor, position.checksum, retries.last,
        )  # fmt: skip
        self._mark = (meta, retries.results_from, retries.spent_from)

    def unsaved(self) -> Behind | None:
        """What the image lacks, None when it is level."""
        meta, results_from, spent_from = self._mark
        if meta.applied == self.image.applied:
            return None
        remembered = [one for one in self._remembered if one.position <= meta.last_retry]
        pruned = (self._saved_results_from, results_from)
        return Behind(meta, self.tail.upto(meta.revision), remembered, pruned, spent_from)

    def saved(self, behind: Behind) -> None:
        """This is durable in the image."""
        self.image = behind.meta
        self.tail.saved(behind.meta.revision)
        del self._remembered[: len(behind.retries)]
        self._saved_results_from = behind.pruned[1]
