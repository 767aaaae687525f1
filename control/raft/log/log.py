"""The log as the core uses it: what can be read, and three marks in it.

applied <= applying <= committed <= last index. `committed` is known to be on a quorum; `applying`
was handed out; `applied` was acknowledged. How much may be handed out and not acknowledged is
limited in bytes; one entry always passes.

Pure module.
"""

from collections.abc import Iterator, Sequence

from holdfast.control.raft.errors import RaftPanic, StorageError
from holdfast.control.raft.log.view import LogView
from holdfast.control.raft.messages import NO_LIMIT, Entry, EntryType, Snapshot
from holdfast.control.raft.storage import LogStorage


class RaftLog(LogView):
    """One node's log. Only the core changes it."""

    __slots__ = (
        "applied",
        "applying",
        "applying_bytes",
        "applying_paused",
        "committed",
        "max_applying_bytes",
    )

    def __init__(self, storage: LogStorage, max_applying_bytes: int = NO_LIMIT) -> None:
        """All marks start at the last compacted index; the caller raises them as it knows more.

        Args:
            storage: the durable part.
            max_applying_bytes: encoded size of what may be handed out unacknowledged, >= 1.
        """
        super().__init__(storage)
        self.committed = self.applying = self.applied = storage.first_index() - 1
        self.max_applying_bytes = max_applying_bytes
        self.applying_bytes = 0
        self.applying_paused = False  # nothing more is handed out until some is acknowledged

    def append(self, entries: Sequence[Entry]) -> int:
        """Add consecutive entries, in place of what stood there; the last index after that."""
        if entries:
            if entries[0].index <= self.committed:
                raise RaftPanic(
                    f"append at {entries[0].index} would replace committed entries "
                    f"(committed: {self.committed})"
                )
            self.unstable.truncate_and_append(entries)
        return self.last_index()

    def maybe_append(
        self, prev_index: int, prev_term: int, entries: Sequence[Entry], commit: int
    ) -> int | None:
        """Take a leader's entries that follow (`prev_index`, `prev_term`) (Raft 5.3).

        Entries that are here already are left alone: a late duplicate must not cut off what
        followed it.

        Returns:
            the index of the last of `entries`, or None where ours does not match before them.
        """
        if self.term(prev_index) != prev_term:
            return None
        last_new = prev_index + len(entries)
        conflict = self._first_new(entries)
        if conflict is not None:
            if conflict <= self.committed:
                raise RaftPanic(
                    f"entry {conflict} conflicts with a committed entry "
                    f"(committed: {self.committed})"
                )
            self.append(entries[conflict - prev_index - 1 :])
        self.commit_to(min(commit, last_new))
        return last_new

    def _first_new(self, entries: Sequence[Entry]) -> int | None:
        for entry in entries:
            if self.term(entry.index) != entry.term:
                return entry.index
        return None

    def commit_to(self, index: int) -> None:
        """Raise the committed mark; it never falls."""
        if self.committed < index:
            if self.last_index() < index:
                raise RaftPanic(
                    f"commit index {index} lies beyond the last entry {self.last_index()}: "
                    "was the log corrupted, truncated or lost?"
                )
            self.committed = index

    def maybe_commit(self, index: int, term: int) -> bool:
        """Commit up to `index` if its entry is of `term`; whether the mark moved (Raft 5.4.2)."""
        if term and index > self.committed and self.term(index) == term:
            self.commit_to(index)
            return True
        return False

    def restore(self, snapshot: Snapshot) -> None:
        """Begin anew from `snapshot`, which becomes stable and applied later."""
        self.committed = snapshot.index
        self.unstable.restore(snapshot)

    def max_appliable(self, allow_unstable: bool) -> int:
        """The last index that may be handed out to be applied."""
        if allow_unstable:
            return self.committed
        return min(self.committed, self.unstable.offset - 1)

    def has_next_committed(self, allow_unstable: bool) -> bool:
        """Whether `next_committed` would return anything.

        While a snapshot waits to be applied nothing else is: its order would be in doubt.
        """
        return (
            not self.applying_paused
            and self.unstable.snapshot is None
            and self.applying < self.max_appliable(allow_unstable)
        )

    def next_committed(self, allow_unstable: bool) -> Sequence[Entry]:
        """Committed entries to be applied next, within the limit of bytes.

        Args:
            allow_unstable: whether entries that storage does not hold yet may be applied.
        """
        if not self.has_next_committed(allow_unstable):
            return ()
        room = self.max_applying_bytes - self.applying_bytes
        if room <= 0:
            raise RaftPanic(f"{self.applying_bytes} bytes are being applied, and not paused")
        try:
            return self.slice(self.applying + 1, self.max_appliable(allow_unstable) + 1, room)
        except StorageError as error:
            raise RaftPanic(f"committed entry {self.applying + 1} cannot be read") from error

    def accept_applying(self, index: int, size: int, allow_unstable: bool) -> None:
        """What `next_committed` returned was handed out.

        Args:
            index: of its last entry.
            size: encoded bytes.
            allow_unstable: as it was asked with.
        """
        if self.committed < index:
            raise RaftPanic(f"applying {index} beyond the committed {self.committed}")
        self.applying = index
        self.applying_bytes += size
        # Paused at the limit, and also just before it: had the next entry fitted, it had come.
        self.applying_paused = (
            self.applying_bytes >= self.max_applying_bytes
            or index < self.max_appliable(allow_unstable)
        )

    def applied_to(self, index: int, size: int) -> None:
        """Entries up to `index`, of `size` encoded bytes, are applied."""
        if not self.applied <= index <= self.committed:
            raise RaftPanic(f"applied {index} is out of range [{self.applied}, {self.committed}]")
        self.applied = index
        self.applying = max(self.applying, index)
        self.applying_bytes = max(0, self.applying_bytes - size)
        self.applying_paused = self.applying_bytes >= self.max_applying_bytes

    def has_unapplied_conf_change(self) -> bool:
        """Whether a change of the configuration is committed and not yet applied."""
        for entries in self._pages(self.applied + 1, self.committed + 1):
            for entry in entries:
                if entry.type != EntryType.NORMAL:
                    return True
        return False

    def _pages(self, lo: int, hi: int) -> Iterator[Sequence[Entry]]:
        """Entries lo .. hi-1 in pieces, so that a long range is never in memory at once."""
        while lo < hi:
            try:
                entries = self.slice(lo, hi, self.max_applying_bytes)
            except StorageError as error:
                raise RaftPanic(f"committed entry {lo} cannot be read") from error
            if not entries:
                raise RaftPanic(f"committed entry {lo} cannot be read: nothing there")
            yield entries
            lo += len(entries)
