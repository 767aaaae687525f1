"""The history of a store: what this memory has seen made, and before that, pieces out of etcd.

Changes since the start lie in a bounded tail. Older ones cost etcd much (it looks through all
revisions up to now, and for what was there before each change), so a large piece is fetched at
once, by one reader at a time, and kept for the next page and for others who resume near it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from holdfast.control.store.commands import Change, Row
from holdfast.control.store.etcd import reading
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.etcd.stored.layout import Layout

TAIL_CHANGES_MAX = 65_536
TAIL_BYTES_MAX = 64 << 20
PIECE_CHANGES = 16_384
PIECES_MAX = 4
_revision = attrgetter("revision")


class Tail:
    """The newest changes, whole above `base`; bounded, the oldest go first."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._changes: deque[Change] = deque()
        self._bytes = 0

    def add(self, changes: Sequence[Change]) -> None:
        """Newly made changes."""
        self._changes += changes
        self._bytes += sum(len(change.value or b"") for change in changes)
        while len(self._changes) > TAIL_CHANGES_MAX or self._bytes > TAIL_BYTES_MAX:
            oldest = self._changes.popleft()
            self._bytes -= len(oldest.value or b"")
            self.base = oldest.revision

    def after(self, revision: int, limit: int) -> list[Change]:
        """Changes above a revision that is not below `base`."""
        start = bisect_right(self._changes, revision, key=_revision)
        return list(islice(self._changes, start, start + limit))


class _Piece(NamedTuple):
    """All changes above `after` up to that of the last one."""

    after: int
    changes: list[Change]


class Histories:
    """The history of a loaded replica. `tail` is told every change that is made from then on."""

    def __init__(self, connection: Connection, layout: Layout, replica: Replica) -> None:
        self.tail = Tail(replica.image.revision)
        self._connection = connection
        self._layout = layout
        self._replica = replica
        self._pieces: deque[_Piece] = deque(maxlen=PIECES_MAX)
        self._fetching = asyncio.Lock()  # who fetches holds it; the others look again then

    async def reset(self, _: Sequence[Row]) -> Callable[[], None]:
        """See engine.Reset."""

        def switch() -> None:
            self.tail = Tail(self._replica.image.revision)

        return switch

    async def read(self, after: int, limit: int) -> list[Change]:
        """See Engine.history. Raises FloorError, ForeignError, StoreError."""
        found: list[Change] = []
        while len(found) < limit:
            if after >= self.tail.base:
                return found + self.tail.after(after, limit - len(found))
            async with self._fetching:
                piece = self._kept(after) or await self._fetch(after)
            start = bisect_right(piece.changes, after, key=_revision)
            part = piece.changes[start : start + limit - len(found)]
            found += part
            # An empty piece: nothing but the tail is newer.
            after = part[-1].revision if part else max(after, self.tail.base)
        return found

    def _kept(self, after: int) -> _Piece | None:
        for piece in self._pieces:
            if piece.after <= after < piece.changes[-1].revision:
                return piece
        return None

    async def _fetch(self, after: int) -> _Piece:
        replica = self._replica
        span = (replica.created, replica.revisions.main(replica.image.revision))
        changes = await reading.history(
            self._connection, self._layout, replica.revisions, after, span, PIECE_CHANGES
        )
        piece = _Piece(after, changes)
        if changes:
            self._pieces.append(piece)
        return piece
