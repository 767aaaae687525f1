"""Opening a data directory: refuse what is not ours or not whole, load the image, replay the log.

Called once by an engine's start. Whatever is wrong is one sentence that names the file and, for
the log, the entry; nothing is repaired by guessing and nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.control.store import directory, image, records
from holdfast.control.store.behind import Entry, Meta, WriteBehind
from holdfast.control.store.commands import Compact, Key
from holdfast.control.store.database import Database
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.retries import Retries
from holdfast.control.store.state import State

WRITER_CACHE_BYTES = 16 << 20
READER_CACHE_BYTES = 4 << 20
LOAD_ROWS = 1_000


@dataclass(slots=True)
class Opened:
    """An open store: two connections, the state as of the end of the log, and what is behind.

    last: the newest entry of the log (index 0 in a new store). swept: how far compaction got.
    """

    writer: Database
    reader: Database
    state: State
    behind: WriteBehind
    last: Entry
    swept: int


async def open_store(path: Path, cluster_id: str) -> Opened:
    """Open the store of a claimed data directory, a new one if none is there.

    Raises StoreError: none there and no cluster id given; FatalStoreError: corrupt or foreign.
    """
    if not await asyncio.to_thread(directory.examine, path):
        if not cluster_id:
            raise StoreError(f"data directory {path} is empty, and no cluster id is given for it")
        await asyncio.to_thread(directory.make, path, cluster_id)
    file = path / directory.FILE
    writer = await Database.open(file, WRITER_CACHE_BYTES)
    try:
        reader = await Database.open(file, READER_CACHE_BYTES)
        try:
            return await _load(writer, reader, file, cluster_id)
        except BaseException:
            await reader.close()
            raise
    except BaseException:
        await writer.close()
        raise


async def _load(writer: Database, reader: Database, file: Path, cluster_id: str) -> Opened:
    found = await reader.run(image.load_meta)
    if found is None:
        raise FatalStoreError(f"{file} is corrupt (its position): restore it from a backup")
    meta, swept = found
    if cluster_id and meta.cluster_id != cluster_id:
        raise FatalStoreError(
            f"{file} belongs to cluster {meta.cluster_id}, not {cluster_id}: "
            "choose another data directory"
        )
    state = await _load_state(reader, file, meta)
    behind = WriteBehind(meta, state)
    last = await _replay(await reader.run(image.load_log, meta.applied), file, meta, behind, state)
    return Opened(writer, reader, state, behind, last, swept)


async def _load_state(reader: Database, file: Path, meta: Meta) -> State:
    try:
        retries = await reader.run(image.load_retries)
    except records.RecordError as error:
        raise FatalStoreError(f"{file}: a result in its table of ids {error}") from error
    state = State(Retries(retries, meta.last_retry))
    after: Key | None = None
    while rows := await reader.run(image.load_rows, after, LOAD_ROWS):
        state.load(rows)
        after = rows[-1].key
    if state.position.checksum != meta.checksum:
        raise FatalStoreError(
            f"{file} is corrupt (its {len(state)} objects do not add up to their checksum): "
            "restore it from a backup"
        )
    state.position.revision, state.position.floor = meta.revision, meta.floor
    return state


async def _replay(
    entries: Sequence[Entry], file: Path, meta: Meta, behind: WriteBehind, state: State
) -> Entry:
    """Apply the log's entries above the image; the last one."""
    last = Entry(meta.applied, meta.term, meta.log_crc, b"")
    for entry in entries:
        crc = records.chain(last.crc, entry.index, entry.term, entry.data)
        if entry.index != last.index + 1 or entry.crc != crc:
            raise FatalStoreError(
                f"{file} is corrupt: log entry {entry.index} does not follow entry {last.index} "
                "or fails its checksum; restore the file from a backup"
            )
        try:
            commands = records.decode(entry.data)
        except records.RecordError as error:
            raise FatalStoreError(f"{file}: log entry {entry.index} {error}") from error
        for command in commands:
            if isinstance(command, Compact):
                state.compact(command.floor)
                continue
            applied = state.apply(entry.term, command)
            behind.note(applied.changes, applied.remembered)
            await asyncio.sleep(0)
        behind.whole(entry)
        last = entry
    return last
