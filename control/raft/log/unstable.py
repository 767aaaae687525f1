"""The end of the log that storage does not hold yet.

Entries wait here until they are handed out to be written ("in progress"), and stay until the
write is acknowledged, so that the log can be read without asking a storage that may be behind.
A snapshot received from the leader waits the same way; while it does, it is where the log starts.

`entries[i]` has index `offset + i`. `offset` may lie below storage's last index: then the next
write cuts storage's log there. Invariant: offset <= in_progress <= offset + len(entries).

Pure module.
"""

from collections.abc import Sequence

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import Entry, Snapshot


class Unstable:
    """Entries and a snapshot on their way to storage. Owned by RaftLog."""

    __slots__ = ("entries", "in_progress", "offset", "snapshot", "snapshot_in_progress")

    def __init__(self, offset: int) -> None:
        self.entries: list[Entry] = []
        self.offset = offset
        self.in_progress = offset  # entries before this index are being written
        self.snapshot: Snapshot | None = None
        self.snapshot_in_progress = False

    def last_index(self) -> int | None:
        """The last index held, or None where storage's own is the last."""
        if self.entries:
            return self.offset + len(self.entries) - 1
        if self.snapshot is not None:
            return self.snapshot.index
        return None

    def term(self, index: int) -> int | None:
        """The term at `index`, or None where it is not held here."""
        position = index - self.offset
        if position < 0:
            snapshot = self.snapshot
            if snapshot is not None and snapshot.index == index:
                return snapshot.term
            return None
        if position < len(self.entries):
            return self.entries[position].term
        return None

    def next_entries(self) -> Sequence[Entry]:
        """The entries that nobody is writing yet."""
        start = self.in_progress - self.offset
        if start >= len(self.entries):
            return ()
        return self.entries[start:]

    def has_next_entries(self) -> bool:
        """Whether there are entries that nobody is writing yet."""
        return self.in_progress - self.offset < len(self.entries)

    def next_snapshot(self) -> Snapshot | None:
        """The snapshot, where there is one that nobody is writing yet."""
        return None if self.snapshot_in_progress else self.snapshot

    def accept_in_progress(self) -> None:
        """All that is held was handed out to be written."""
        self.in_progress = self.offset + len(self.entries)
        if self.snapshot is not None:
            self.snapshot_in_progress = True

    def stable_to(self, index: int, term: int) -> None:
        """Storage holds everything up to the entry (`index`, `term`): let go of that much.

        Where that entry is not here, or has another term, it was replaced while it was being
        written: nothing is let go. The caller must know that no write under way can still
        overwrite it in storage (see RawNode, on responses of an older term).
        """
        if index < self.offset or self.term(index) != term:
            return
        del self.entries[: index + 1 - self.offset]
        self.offset = index + 1
        self.in_progress = max(self.in_progress, self.offset)

    def stable_snapshot_to(self, index: int) -> None:
        """Storage holds the snapshot at `index`."""
        if self.snapshot is not None and self.snapshot.index == index:
            self.snapshot = None
            self.snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """Begin anew from `snapshot`; what was held is void."""
        self.entries = []
        self.offset = self.in_progress = snapshot.index + 1
        self.snapshot = snapshot
        self.snapshot_in_progress = False

    def truncate_and_append(self, entries: Sequence[Entry]) -> None:
        """Hold consecutive `entries`, in place of all at or after the first of them."""
        start = entries[0].index
        position = start - self.offset
        if position > len(self.entries):
            raise RaftPanic(f"entries from {start} leave a gap in the log")
        if position < 0:
            self.entries = list(entries)
            self.offset = self.in_progress = start
            return
        self.entries[position:] = entries
        # What was being written at or after `start` is written once more, as it reads now.
        self.in_progress = min(self.in_progress, start)

    def slice(self, lo: int, hi: int) -> Sequence[Entry]:
        """Entries lo .. hi-1, all of which are held."""
        if not self.offset <= lo <= hi <= self.offset + len(self.entries):
            raise RaftPanic(
                f"[{lo}, {hi}) of unstable entries "
                f"[{self.offset}, {self.offset + len(self.entries)})"
            )
        return self.entries[lo - self.offset : hi - self.offset]
