"""Snapshots from others: received beside the image, checked whole, switched in at once.

`take` stores the pieces and loads them into a new state, while the old one goes on answering
stale reads; only then does the core hear of the snapshot. When the core has accepted it the
writer calls `install`: a small transaction, then the memory of this member is the new state's.
What waited to be written of the old one is dropped with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from holdfast.api.raft.v1 import state_pb2
from holdfast.control.raft.messages import Entry, EntryType, HardState, Message, Snapshot
from holdfast.control.raft.shell.seams import SnapshotLostError
from holdfast.control.store.behind import Meta, WriteBehind
from holdfast.control.store.commands import Row
from holdfast.control.store.engine import DiskFullError, FatalStoreError, StoreError
from holdfast.control.store.replicated import incoming
from holdfast.control.store.replicated.opening import Opened, load_state
from holdfast.control.store.replicated.tail import Linked
from holdfast.control.store.state import State

Prepare = Callable[[Iterable[Row]], Awaitable[Callable[[], None]]]
"""Engine's `Reset`: told the objects of the new state; what it returns makes them the current."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A snapshot that is whole, on disk beside the image and in memory beside the state."""

    meta: Meta
    swept: int
    state: State


class Receiving:
    """The snapshots that this member receives, one at a time."""

    def __init__(
        self, store: Opened, deliver: Callable[[Message], bool],
        failed: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        """deliver: hands the message to the core; whether it wants the state installed now.
        failed: told when the disk is no longer to be trusted."""
        self._store = store
        self._deliver = deliver
        self._failed = failed
        self._busy = False
        self._staged: Staged | None = None

    async def take(
        self, message: Message, pieces: AsyncIterator[bytes], installing: Callable[[], bool]
    ) -> None:
        """Store and check a snapshot, then tell the core. installing: whether one that the core
        has accepted waits to be installed. Raises SnapshotLostError: it was not taken."""
        assert message.snapshot
        if message.snapshot.index <= self._store.log.applied:
            self._deliver(message)  # sent again, because our answer was lost
            return
        if self._busy or installing():
            raise SnapshotLostError("another snapshot is being received")
        self._busy, self._staged = True, None
        try:
            self._staged = await self._receive(message.snapshot, pieces)
            if not self._deliver(message):
                self._staged = None
        except DiskFullError as error:
            raise SnapshotLostError(str(error)) from error
        except (DecodeError, ValueError) as error:
            raise SnapshotLostError(f"a snapshot came damaged ({error})") from error
        except FatalStoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise SnapshotLostError("a snapshot came with rows that contradict") from error
            self._failed(error)
            raise SnapshotLostError(str(error)) from error
        finally:
            self._busy = False

    async def _receive(self, snapshot: Snapshot, pieces: AsyncIterator[bytes]) -> Staged:
        writer = self._store.writer
        position: state_pb2.Position | None = None
        async for data in pieces:
            piece = state_pb2.StatePiece.FromString(data)
            if position is None:
                position = piece.position
                self._check(snapshot, position)
                await writer.transact(incoming.begin)
            await writer.transact(incoming.add, *_values(piece))
        if position is None:
            raise SnapshotLostError("a snapshot came without its state")
        meta = _meta(position, self._store.member)
        try:
            state = await load_state(writer, "the snapshot", meta, incoming.SUFFIX)
        except FatalStoreError as error:
            raise SnapshotLostError(f"a snapshot came incomplete: {error}") from error
        return Staged(meta, position.swept, state)

    def _check(self, snapshot: Snapshot, position: state_pb2.Position) -> None:
        if (position.applied, position.term) != (snapshot.index, snapshot.term):
            raise SnapshotLostError("a snapshot came with the state of another place")
        cluster_id = self._store.behind.image.cluster_id
        if position.cluster_id != cluster_id:
            raise SnapshotLostError(f"a snapshot of cluster {position.cluster_id} came")

    async def install(self, snapshot: Snapshot, hard_state: HardState, prepare: Prepare) -> None:
        """Make what was staged the state of this member. Raises DiskFullError: nothing changed."""
        staged, store = self._staged, self._store
        self._staged = None
        if staged is None or staged.meta.applied != snapshot.index:
            raise StoreError(f"the snapshot at {snapshot.index} was accepted, but never received")
        switch = await prepare(staged.state.all_rows())
        state = hard_state._replace(commit=max(hard_state.commit, snapshot.index))
        await store.writer.transact(incoming.install, staged.meta, staged.swept, state)
        store.state, store.swept = staged.state, staged.swept
        store.behind = WriteBehind(staged.meta, staged.state)
        store.log.conf = staged.meta.conf_state
        store.log.applied = snapshot.index
        anchor = Entry(snapshot.index, snapshot.term, EntryType.NORMAL, b"")
        store.log.restart(Linked(anchor, staged.meta.log_crc), state)
        switch()


def _meta(position: state_pb2.Position, member: int) -> Meta:
    meta = Meta(
        position.cluster_id, member, position.conf, position.term, position.applied,
        position.log_crc, position.revision, position.floor, position.checksum,
        position.last_retry,
    )  # fmt: skip
    _ = meta.conf_state  # raises ValueError for one that is damaged
    return meta


def _values(
    piece: state_pb2.StatePiece,
) -> tuple[list[incoming.ChangeValues], list[incoming.RetryValues]]:
    changes = [
        (
            row.revision,
            row.resource,
            row.namespace,
            row.name,
            row.created,
            row.replaced,
            row.last,
            row.value if row.HasField("value") else None,
        )
        for row in piece.changes
    ]
    retries = [
        (row.position, row.id, row.result if row.HasField("result") else None)
        for row in piece.retries
    ]
    return changes, retries
