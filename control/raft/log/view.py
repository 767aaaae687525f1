"""Reading the log: storage's part, then the unstable part, as one.

Where both hold an index the unstable part is right: storage is about to be overwritten there.

Pure module.
"""

from collections.abc import Sequence

from holdfast.control.raft.errors import CompactedError, RaftPanic, UnavailableError
from holdfast.control.raft.log.unstable import Unstable
from holdfast.control.raft.messages import NO_LIMIT, Entry, Snapshot, entries_size, limit_size
from holdfast.control.raft.storage import LogStorage


class LogView:
    """The entries of one node, durable or not."""

    __slots__ = ("storage", "unstable")

    def __init__(self, storage: LogStorage) -> None:
        self.storage = storage
        self.unstable = Unstable(storage.last_index() + 1)

    def first_index(self) -> int:
        """The index of the first entry that can be read, or where it would stand."""
        snapshot = self.unstable.snapshot
        return self.storage.first_index() if snapshot is None else snapshot.index + 1

    def last_index(self) -> int:
        """The index of the last entry, durable or not."""
        last = self.unstable.last_index()
        return self.storage.last_index() if last is None else last

    def term(self, index: int) -> int | None:
        """The term at `index`, or None where it is compacted or not there yet.

        The term just before the first entry is known too: appends are anchored there.
        """
        term = self.unstable.term(index)
        if term is not None:
            return term
        if index + 1 < self.first_index() or index > self.last_index():
            return None
        try:
            return self.storage.term(index)
        except (CompactedError, UnavailableError):
            return None

    def last_id(self) -> tuple[int, int]:
        """Index and term of the last entry."""
        index = self.last_index()
        term = self.term(index)
        if term is None:
            raise RaftPanic(f"the log does not know the term of its last entry, {index}")
        return index, term

    def is_up_to_date(self, index: int, term: int) -> bool:
        """Whether a log that ends in (`index`, `term`) has at least all of ours (Raft 5.4.1)."""
        our_index, our_term = self.last_id()
        return term > our_term or (term == our_term and index >= our_index)

    def matches(self, index: int, term: int) -> bool:
        """Whether our entry at `index` has `term`."""
        return self.term(index) == term

    def find_conflict_by_term(self, index: int, term: int) -> tuple[int, int]:
        """Where this log may end to agree with one that has (`index`, `term`) at most.

        Returns:
            the highest index <= `index` whose term is <= `term` or not known, and that term (0:
            not known). A rejected append is retried there, so a long divergent tail costs one
            round a term, not one an entry.
        """
        while index > 0:
            ours = self.term(index)
            if ours is None:
                return index, 0
            if ours <= term:
                return index, ours
            index -= 1
        return 0, 0

    def snapshot(self) -> Snapshot:
        """The latest snapshot; raises as LogStorage.snapshot does."""
        return self.unstable.snapshot or self.storage.snapshot()

    def entries(self, start: int, max_bytes: int) -> Sequence[Entry]:
        """Entries from `start` on, cut at `max_bytes`; empty where there are none.

        Raises:
            CompactedError: `start` is no longer kept.
        """
        last = self.last_index()
        return () if start > last else self.slice(start, last + 1, max_bytes)

    def slice(self, lo: int, hi: int, max_bytes: int) -> Sequence[Entry]:
        """Entries lo .. hi-1, cut at `max_bytes`, but at least one.

        Raises:
            CompactedError: `lo` is no longer kept.
        """
        if lo > hi or hi > self.last_index() + 1:
            raise RaftPanic(f"[{lo}, {hi}) of a log that ends at {self.last_index()}")
        if lo < self.first_index():
            raise CompactedError
        if lo == hi:
            return ()
        offset = self.unstable.offset
        if lo >= offset:
            return limit_size(self.unstable.slice(lo, hi), max_bytes)
        cut = min(hi, offset)
        try:
            stored = self.storage.entries(lo, cut, max_bytes)
        except UnavailableError as error:
            raise RaftPanic(f"storage does not have entries [{lo}, {cut})") from error
        if hi <= offset or len(stored) < cut - lo:
            return stored
        return self._join(stored, self.unstable.slice(offset, hi), max_bytes)

    def _join(
        self, stored: Sequence[Entry], tail: Sequence[Entry], max_bytes: int
    ) -> Sequence[Entry]:
        room = NO_LIMIT
        if max_bytes < NO_LIMIT:
            room = max_bytes - entries_size(stored)
            if room <= 0 or tail[0].size > room:
                return stored
        return [*stored, *limit_size(tail, room)]
