"""Opening a store: refuse what is not ours or not whole, load the image and the log.

Called once by an engine's start. Whatever is wrong is one sentence that names the file and, for
the log, the entry; nothing is repaired by guessing and nothing is written. Entries behind the
image are checked here and applied later, by the same way as new ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.control.raft.messages import ConfState, Entry, EntryType, HardState
from holdfast.control.store import image, records
from holdfast.control.store.behind import Meta, WriteBehind, conf_text
from holdfast.control.store.commands import Key
from holdfast.control.store.disk import Connection, Disk
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.replicated import log_rows
from holdfast.control.store.replicated.tail import Linked, LogTail
from holdfast.control.store.retries import Retries
from holdfast.control.store.state import State

WRITER_CACHE_BYTES = 16 << 20
READER_CACHE_BYTES = 4 << 20
LOAD_ROWS = 1_000
FIRST_INDEX = 1
"""A group begins as if behind this entry, so that who joins later gets a snapshot: the first
configuration stands in no entry."""


@dataclass(frozen=True, slots=True)
class Founding:
    """How a new store begins. voters: the group's first members; () = this one joins a group
    that is there, and hears from its leader who belongs to it."""

    cluster_id: str
    member: int
    voters: tuple[int, ...]

    def create(self, connection: sqlite3.Connection) -> None:
        """Fill an empty file."""
        start = FIRST_INDEX if self.voters else 0
        conf = conf_text(ConfState(voters=tuple(sorted(self.voters))))
        meta = Meta(self.cluster_id, self.member, conf, term=start, applied=start)
        image.create(connection, meta)
        log_rows.insert(connection, [Linked(Entry(start, start, EntryType.NORMAL, b""), 0)])
        log_rows.save_hard_state(connection, HardState(start, 0, start))


@dataclass(slots=True)
class Opened:
    """An open store: two connections, the state of the image, what is behind it, and the log.

    swept: how far compaction of old revisions got.
    """

    disk: Disk
    writer: Connection
    reader: Connection
    state: State
    behind: WriteBehind
    log: LogTail
    swept: int

    @property
    def member(self) -> int:
        """Whose store this is."""
        return self.behind.image.member


async def open_store(disk: Disk, founding: Founding | None, cluster_id: str) -> Opened:
    """Open the store of a claimed disk, a new one if none is there.

    cluster_id: what an existing one must be of, "" = any. Raises StoreError: none is there and
    no founding is given; FatalStoreError: corrupt or foreign.
    """
    if not await disk.holds_store():
        if founding is None:
            raise StoreError(f"{disk.name} is not there, and no cluster id is given for a new one")
        await disk.make(founding.create)
    writer = await disk.connect(WRITER_CACHE_BYTES)
    try:
        reader = await disk.connect(READER_CACHE_BYTES)
        try:
            return await _load(disk, writer, reader, cluster_id)
        except BaseException:
            await reader.close()
            raise
    except BaseException:
        await writer.close()
        raise


async def _load(disk: Disk, writer: Connection, reader: Connection, cluster_id: str) -> Opened:
    meta, swept = await load_meta(disk, reader)
    if cluster_id and meta.cluster_id != cluster_id:
        raise FatalStoreError(
            f"{disk.name} belongs to cluster {meta.cluster_id}, not {cluster_id}: "
            "choose another data directory"
        )
    state = await load_state(reader, disk.name, meta)
    hard_state = await reader.run(log_rows.load_hard_state)
    if hard_state is None:
        raise FatalStoreError(f"{disk.name} is corrupt (its vote): restore it from a backup")
    try:
        rows, conf = await reader.run(log_rows.load), meta.conf_state
    except ValueError as error:
        raise FatalStoreError(f"{disk.name} is corrupt ({error}): restore it") from error
    _check(disk.name, meta, hard_state, rows)
    log = LogTail(rows, hard_state, conf)
    return Opened(disk, writer, reader, state, WriteBehind(meta, state), log, swept)


async def load_meta(disk: Disk, connection: Connection) -> tuple[Meta, int]:
    """Where the image stands, and how far it is swept. Raises FatalStoreError."""
    found = await connection.run(image.load_meta)
    if found is None:
        raise FatalStoreError(f"{disk.name} is corrupt (its position): restore it from a backup")
    return found


async def load_state(
    connection: Connection, name: str, meta: Meta, suffix: str = ""
) -> State:  # fmt: skip
    """The objects and the table of ids of an image. Raises FatalStoreError: they do not add up.

    suffix: of the tables' names.
    """
    try:
        retries = await connection.run(image.load_retries, f"retries{suffix}")
    except records.RecordError as error:
        raise FatalStoreError(f"{name}: a result in its table of ids {error}") from error
    state = State(Retries(retries, meta.last_retry))
    after: Key | None = None
    while rows := await connection.run(image.load_rows, after, LOAD_ROWS, f"changes{suffix}"):
        state.load(rows)
        after = rows[-1].key
    if state.position.checksum != meta.checksum:
        raise FatalStoreError(
            f"{name} is corrupt (its {len(state)} objects do not add up to their checksum): "
            "restore it from a backup"
        )
    state.position.revision, state.position.floor = meta.revision, meta.floor
    return state


def _check(name: str, meta: Meta, hard_state: HardState, rows: Sequence[Linked]) -> None:
    """Raises FatalStoreError unless the log is one chain that contains the image's position."""
    if not rows or rows[0].entry.index > meta.applied:
        raise FatalStoreError(f"{name} is corrupt: its log does not reach its image; restore it")
    before = rows[0]
    _check_place(name, meta, before)
    for one in rows[1:]:
        index, term, kind, data = one.entry
        crc = records.chain(before.crc, index, term, data, kind)
        if index != before.entry.index + 1 or one.crc != crc or term < before.entry.term:
            raise FatalStoreError(
                f"{name} is corrupt: log entry {index} does not follow entry "
                f"{before.entry.index} or fails its checksum; restore the file from a backup"
            )
        if index > meta.applied and kind is EntryType.NORMAL and data:
            try:
                records.decode(data)
            except records.RecordError as error:
                raise FatalStoreError(f"{name}: log entry {index} {error}") from error
        _check_place(name, meta, one)
        before = one
    if not meta.applied <= hard_state.commit <= before.entry.index:
        raise FatalStoreError(
            f"{name} is corrupt: its log ends at entry {before.entry.index}, its image at "
            f"{meta.applied}, and entry {hard_state.commit} was acknowledged; restore it"
        )


def _check_place(name: str, meta: Meta, one: Linked) -> None:
    if one.entry.index == meta.applied and (one.entry.term, one.crc) != (meta.term, meta.log_crc):
        raise FatalStoreError(
            f"{name} is corrupt: log entry {one.entry.index} is not the one its image was made "
            "from; restore the file from a backup"
        )
