"""The end of the log in memory: what the consensus core reads, with each entry's checksum.

Only what is durable is in it: the writer adds to it after its transaction, and drops what the
transaction dropped. It begins behind the anchor, an entry whose data nobody needs any more.
Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdfast.control.raft.messages import ConfState, Entry, HardState, Snapshot
from holdfast.control.raft.storage import MemoryStorage, SnapshotUnavailableError
from holdfast.control.store import records


class Linked(NamedTuple):
    """An entry with its checksum, chained over the entry before it."""

    entry: Entry
    crc: int


Offer = Callable[[], Snapshot | None]
"""What a peer that is too far behind gets; None = there will be one later."""


class LogTail(MemoryStorage):
    """Entries behind the anchor. applied, conf: the newest entry that the state machine has
    applied, and the configuration as of it; the machine sets both."""

    __slots__ = ("_bytes", "_crcs", "_first", "applied", "conf", "offer")

    def __init__(self, rows: Sequence[Linked], hard_state: HardState, conf: ConfState) -> None:
        """rows: the log as loaded, the anchor first."""
        super().__init__()
        self.offer: Offer = lambda: None
        self.conf = conf
        self.applied = 0
        self.restart(rows[0], hard_state)
        self.extend(rows[1:])

    def restart(self, anchor: Linked, hard_state: HardState) -> None:
        """Hold nothing but an anchor: at the start, and when a snapshot took the log's place."""
        MemoryStorage.__init__(self)
        if anchor.entry.index:
            self.apply_snapshot(Snapshot(anchor.entry.index, anchor.entry.term))
        self.set_hard_state(hard_state)
        self._first = anchor.entry.index
        self._crcs = [anchor.crc]
        self._bytes = 0

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See LogStorage. What was applied is committed, whatever the disk says of it."""
        state = super().initial_state()[0]
        return state._replace(commit=max(state.commit, self.applied)), self.conf

    def snapshot(self) -> Snapshot:
        """See LogStorage: a place in the log; the state itself is streamed beside it."""
        found = self.offer()
        if found is None:
            raise SnapshotUnavailableError
        return found

    @property
    def anchor(self) -> int:
        """The index before the first entry."""
        return self._first

    @property
    def bytes(self) -> int:
        """The data of all entries."""
        return self._bytes

    def crc(self, index: int) -> int:
        """The checksum of an entry that is there, or of the anchor."""
        return self._crcs[index - self._first]

    def link(self, entries: Sequence[Entry]) -> list[Linked]:
        """Consecutive entries with their checksums, as they would follow what is before them."""
        if not entries:
            return []
        crc = self.crc(entries[0].index - 1)
        linked = []
        for entry in entries:
            crc = records.chain(crc, entry.index, entry.term, entry.data, entry.type)
            linked.append(Linked(entry, crc))
        return linked

    def extend(self, linked: Sequence[Linked]) -> None:
        """Add consecutive entries in place of all from the first one's index on."""
        if not linked:
            return
        first = linked[0].entry.index
        if first <= self.last_index():
            replaced = self.entries(first, self.last_index() + 1, 1 << 62)
            self._bytes -= sum(len(entry.data) for entry in replaced)
        self.append([one.entry for one in linked])
        self._crcs[first - self._first :] = [one.crc for one in linked]
        self._bytes += sum(len(one.entry.data) for one in linked)

    def rebase(self, index: int) -> None:
        """Make the entry at an index the anchor, unless it is that already or lies before it."""
        if index <= self._first:
            return
        gone = self.entries(self._first + 1, index + 1, 1 << 62)
        self._bytes -= sum(len(entry.data) for entry in gone)
        self.compact(index)
        del self._crcs[: index - self._first]
        self._first = index

    def anchor_within(self, wanted: int, bytes_max: int) -> int:
        """Where the anchor may move so that entries from `wanted` on stay, but no more bytes."""
        index, left = self._first, self._bytes
        while index < wanted or left > bytes_max:
            if index == self.last_index():
                break
            index += 1
            left -= len(self.entries(index, index + 1, 1 << 62)[0].data)
        return index
