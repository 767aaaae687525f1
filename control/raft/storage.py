"""Where the core reads its log: the protocol, and the log in memory.

The core only ever reads, synchronously, and only what was handed to it as durable (or is in the
course of being written: then it still holds the entries itself). Whoever performs a Ready writes:
hard state and entries, or a snapshot in place of all of them. `MemoryStorage` is the whole log in
memory; the shell keeps the tail of its log in one, scripts and simulation the whole.

Pure module.
"""

from collections.abc import Sequence
from typing import Protocol

from holdfast.control.raft.errors import (
    CompactedError,
    RaftPanic,
    SnapshotOutOfDateError,
    SnapshotUnavailableError,
    StorageError,
    UnavailableError,
)
from holdfast.control.raft.messages import ConfState, Entry, HardState, Snapshot, limit_size

__all__ = [
    "CompactedError",
    "LogStorage",
    "MemoryStorage",
    "SnapshotOutOfDateError",
    "SnapshotUnavailableError",
    "StorageError",
    "UnavailableError",
]


class LogStorage(Protocol):
    """What the core asks of a log. Nothing it returns is changed by the core."""

    def initial_state(self) -> tuple[HardState, ConfState]:
        """The hard state and the configuration at the applied index, as of the last start."""
        ...

    def entries(self, lo: int, hi: int, max_bytes: int) -> Sequence[Entry]:
        """Entries lo .. hi-1, cut at `max_bytes` encoded, but at least one.

        Raises:
            CompactedError: `lo` is no longer kept.
            UnavailableError: an entry of the range is not there yet.
        """
        ...

    def term(self, index: int) -> int:
        """The term at `index`, which lies in first_index()-1 .. last_index().

        Raises:
            CompactedError: `index` lies before that range.
            UnavailableError: `index` lies after it.
        """
        ...

    def last_index(self) -> int:
        """The index of the last entry; that of the snapshot where none follows it."""
        ...

    def first_index(self) -> int:
        """The index of the first entry kept, or where it would stand."""
        ...

    def snapshot(self) -> Snapshot:
        """A snapshot to send to a peer whose log ends before first_index().

        Raises:
            SnapshotUnavailableError: there will be one later; the core asks again.
        """
        ...


class MemoryStorage:
    """A log in memory. `entries` returns slices of the same immutable entries."""

    __slots__ = ("_entries", "_hard_state", "_offset", "_offset_term", "_snapshot")

    def __init__(self) -> None:
        self._hard_state = HardState()
        self._snapshot = Snapshot()
        self._entries: list[Entry] = []  # [i] has index _offset + 1 + i
        self._offset = 0  # index and term just before the first entry: compacted or in a snapshot
        self._offset_term = 0

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See LogStorage; the configuration is that of the latest snapshot."""
        return self._hard_state, self._snapshot.conf_state

    def entries(self, lo: int, hi: int, max_bytes: int) -> Sequence[Entry]:
        """See LogStorage."""
        if lo <= self._offset:
            raise CompactedError
        if hi > self.last_index() + 1:
            raise RaftPanic(f"entries up to {hi} asked of a log that ends at {self.last_index()}")
        if not self._entries:
            raise UnavailableError
        start = self._offset + 1
        return limit_size(self._entries[lo - start : hi - start], max_bytes)

    def term(self, index: int) -> int:
        """See LogStorage."""
        position = index - self._offset - 1
        if position < 0:
            if position == -1:
                return self._offset_term
            raise CompactedError
        if position >= len(self._entries):
            raise UnavailableError
        return self._entries[position].term

    def last_index(self) -> int:
        """See LogStorage."""
        return self._offset + len(self._entries)

    def first_index(self) -> int:
        """See LogStorage."""
        return self._offset + 1

    def snapshot(self) -> Snapshot:
        """The latest one created or applied; the empty one where there was none."""
        return self._snapshot

    def set_hard_state(self, state: HardState) -> None:
        """Keep `state` as the latest."""
        self._hard_state = state

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Put `snapshot` in place of everything.

        Raises:
            SnapshotOutOfDateError: the one in place is at least as new.
        """
        if self._snapshot.index != 0 and self._snapshot.index >= snapshot.index:
            raise SnapshotOutOfDateError
        self._snapshot = snapshot
        self._entries = []
        self._offset, self._offset_term = snapshot.index, snapshot.term

    def create_snapshot(self, index: int, conf_state: ConfState | None, data: bytes) -> Snapshot:
        """Make the snapshot at `index` of an entry in the log; the log itself stays as it is.

        Args:
            index: the last entry whose effect `data` contains.
            conf_state: the configuration there; None: that of the snapshot before.
            data: the state.

        Raises:
            SnapshotOutOfDateError: the one in place is at least as new.
        """
        if index <= self._snapshot.index:
            raise SnapshotOutOfDateError
        if index > self.last_index():
            raise RaftPanic(f"snapshot at {index} of a log that ends at {self.last_index()}")
        if conf_state is None:
            conf_state = self._snapshot.conf_state
        self._snapshot = Snapshot(index, self.term(index), conf_state, data)
        return self._snapshot

    def compact(self, index: int) -> None:
        """Drop all entries up to and with `index`, which the caller has applied.

        Raises:
            CompactedError: they are gone already.
        """
        if index <= self._offset:
            raise CompactedError
        if index > self.last_index():
            raise RaftPanic(f"compact to {index} of a log that ends at {self.last_index()}")
        self._offset_term = self.term(index)
        del self._entries[: index - self._offset]
        self._offset = index

    def append(self, entries: Sequence[Entry]) -> None:
        """Write consecutive `entries`; what stood at or after the first of them goes.

        Entries at or before the compacted index are skipped.
        """
        if not entries:
            return
        position = entries[0].index - self._offset - 1
        if position < 0:
            entries = entries[-position:]
            if not entries:
                return
            position = 0
        if position > len(self._entries):
            raise RaftPanic(
                f"append at {entries[0].index} to a log that ends at {self.last_index()}"
            )
        self._entries[position:] = entries
