"""Snapshots to others: the state at one revision, read beside the writer, a piece at a time.

The core is offered a place only when a read transaction at that place is open: what is streamed
is what was offered. Each transfer reads on a connection of its own, at a bounded pace, and gives
up when the write-ahead log, which cannot start over meanwhile, grows too large.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from holdfast.api.raft.v1 import state_pb2
from holdfast.control.raft.messages import Message, Snapshot
from holdfast.control.raft.shell.seams import SnapshotLostError
from holdfast.control.store.behind import Meta
from holdfast.control.store.disk import Connection
from holdfast.control.store.engine import DiskFullError, StoreError
from holdfast.control.store.replicated.opening import Opened, load_meta

log = structlog.get_logger()

WAL_BYTES_MAX = 256 << 20
"""That the write-ahead log may grow by beside one."""
PIECE_ROWS = 128
PIECE_BYTES = 256 << 10
BYTES_PER_S = 48 << 20
UNUSED_S = 10.0
"""A place that was prepared and never taken is closed after this."""


@dataclass(slots=True)
class Frozen:
    """A read transaction at one place. wal_bytes: of the write-ahead log when it began. uses:
    transfers that were promised it."""

    connection: Connection
    meta: Meta
    swept: int
    wal_bytes: int
    uses: int = 0


class Sending:
    """The snapshots that this member sends. begin: runs a coroutine as a task of the engine."""

    def __init__(self, store: Opened, begin: Callable[..., object]) -> None:
        self._store = store
        self._begin = begin
        self._preparing = False
        self._frozen: dict[int, Frozen] = {}
        self._newest = 0

    @property
    def oldest(self) -> int | None:
        """The lowest index that a transfer stands at: entries above it are needed after it."""
        return min(self._frozen, default=None)

    def offer(self) -> Snapshot | None:
        """The place of a state that can be streamed; None while one is prepared."""
        frozen = self._frozen.get(self._newest)
        if frozen is None or frozen.meta.conf != self._store.behind.conf:
            # Not there, or from before somebody joined: a new member must find itself in it.
            if not self._preparing:
                self._preparing = True
                self._begin(self._prepare)
            return None
        frozen.uses += 1
        meta = frozen.meta
        return Snapshot(meta.applied, meta.term, meta.conf_state)

    async def _prepare(self) -> None:
        try:
            try:
                connection = await self._store.disk.freeze()
            except DiskFullError as error:
                log.warning("no snapshot can be read", why=str(error))
                return
            try:
                meta, swept = await load_meta(self._store.disk, connection)
            except BaseException:
                await connection.close()
                raise
            if meta.applied in self._frozen:
                await connection.close()
            else:
                wal_bytes = self._store.disk.wal_bytes()
                self._frozen[meta.applied] = Frozen(connection, meta, swept, wal_bytes)
            self._newest = meta.applied
        finally:
            self._preparing = False
        await asyncio.sleep(UNUSED_S)
        if self._newest == meta.applied:
            self._newest = 0
        frozen = self._frozen.get(meta.applied)
        if frozen is not None and not frozen.uses:
            await self._close(meta.applied)

    async def release(self, index: int) -> None:
        """A transfer from this place has ended."""
        frozen = self._frozen.get(index)
        if frozen is None:
            return
        frozen.uses -= 1
        if not frozen.uses:
            await self._close(index)

    async def close(self) -> None:
        """Close every place."""
        for index in list(self._frozen):
            await self._close(index)

    async def _close(self, index: int) -> None:
        frozen = self._frozen.pop(index, None)
        self._newest = 0 if self._newest == index else self._newest
        if frozen:
            await frozen.connection.close()

    async def read(self, message: Message) -> AsyncIterator[bytes]:
        """See Port.read_snapshot."""
        assert message.snapshot
        frozen = self._frozen.get(message.snapshot.index)
        if frozen is None:
            raise SnapshotLostError(f"the snapshot at {message.snapshot.index} is closed")
        yield _position(frozen.meta, frozen.swept)
        now = asyncio.get_running_loop().time
        for read in (_changes, _retries):
            after, more = 0, True
            while more:
                if self._store.disk.wal_bytes() - frozen.wal_bytes > WAL_BYTES_MAX:
                    raise SnapshotLostError("the write-ahead log grew too large beside a snapshot")
                began = now()
                try:
                    piece, after, more = await frozen.connection.run(read, after)
                except StoreError as error:
                    raise SnapshotLostError(str(error)) from error
                yield piece
                await asyncio.sleep(max(0.0, len(piece) / BYTES_PER_S - (now() - began)))


def _position(meta: Meta, swept: int) -> bytes:
    position = state_pb2.Position(
        cluster_id=meta.cluster_id,
        conf=meta.conf,
        term=meta.term,
        applied=meta.applied,
        log_crc=meta.log_crc,
        revision=meta.revision,
        floor=meta.floor,
        checksum=meta.checksum,
        last_retry=meta.last_retry,
        swept=swept,
    )
    return state_pb2.StatePiece(position=position).SerializeToString()


def _changes(connection: sqlite3.Connection, after: int) -> tuple[bytes, int, bool]:
    """The next rows above a revision, the last revision, and whether there may be more."""
    rows = connection.execute(
        "SELECT * FROM changes WHERE revision > ? ORDER BY revision LIMIT ?", (after, PIECE_ROWS)
    )
    piece, size, count = state_pb2.StatePiece(), 0, 0
    for revision, resource, namespace, name, created, replaced, last, value in rows:
        piece.changes.add(
            revision=revision,
            resource=resource,
            namespace=namespace,
            name=name,
            created=created,
            replaced=replaced,
            last=last,
            value=value,
        )
        after, count, size = revision, count + 1, size + len(value or b"")
        if size >= PIECE_BYTES:
            return piece.SerializeToString(), after, True
    return piece.SerializeToString(), after, count == PIECE_ROWS


def _retries(connection: sqlite3.Connection, after: int) -> tuple[bytes, int, bool]:
    rows = connection.execute(
        "SELECT * FROM retries WHERE position > ? ORDER BY position LIMIT ?", (after, PIECE_ROWS)
    )
    piece, count = state_pb2.StatePiece(), 0
    for position, commit_id, result in rows:
        piece.retries.add(position=position, id=commit_id, result=result)
        after, count = position, count + 1
    return piece.SerializeToString(), after, count == PIECE_ROWS
