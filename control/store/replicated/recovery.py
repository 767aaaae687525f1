"""A new cluster of one from what one member of a lost majority has.

Everything in its log counts, also what it does not know to be committed: an acknowledged write is
on a majority, so it may be here only as such. What other members alone had is lost; hence the new
cluster id (nobody of the old group is heard any more), the gap in the revisions and the raised
floor (an old resume point gets "too old", never events of another history). Offline: the member
must be stopped.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.control.raft.messages import ConfState, Entry, EntryType, HardState
from holdfast.control.store import image
from holdfast.control.store.behind import Behind, Meta, conf_text
from holdfast.control.store.commands import ANY, Commit, Write
from holdfast.control.store.disk import Disk, FileDisk
from holdfast.control.store.engine import FatalStoreError
from holdfast.control.store.replicated import log_rows
from holdfast.control.store.replicated.machine import StoreMachine
from holdfast.control.store.replicated.members import RESOURCE, Member
from holdfast.control.store.replicated.opening import Opened, open_store
from holdfast.control.store.replicated.tail import Linked

GAP = 1 << 32
"""More revisions than the lost members can have given away."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of it. unsure: entries that were not known to be committed."""

    member: int
    objects: int
    revision: int
    unsure: int


async def force_new_cluster(place: Path | Disk, new_cluster_id: str, gap: int = GAP) -> Recovered:
    """Make the store of a stopped member that of a new cluster of one.

    Raises StoreError: nothing is there, or it is in use; FatalStoreError: it is corrupt. Nothing
    is changed then.
    """
    disk = FileDisk(place) if isinstance(place, Path) else place
    await disk.claim()
    try:
        store = await open_store(disk, None, "")
        try:
            return await _recover(store, new_cluster_id, gap)
        finally:
            await store.reader.close()
            await store.writer.close()
    finally:
        disk.release()


async def _recover(store: Opened, new_cluster_id: str, gap: int) -> Recovered:
    if new_cluster_id == store.behind.image.cluster_id:
        raise FatalStoreError("the new cluster needs an id of its own")
    alone = ConfState(voters=(store.member,))
    committed = store.log.initial_state()[0].commit
    machine = StoreMachine(store, lambda _changes: None, lambda _index, _term: (), _nothing)
    for index in range(machine.applied + 1, store.log.last_index() + 1):
        entry = store.log.entries(index, index + 1, 1 << 62)[0]
        if entry.type is EntryType.NORMAL:
            await machine.apply(entry)
        else:
            machine.configure(entry, alone)
    state, last = store.state, store.log.last_index()
    term, crc = store.log.term(last), store.log.crc(last)
    _forget_others(store, term)
    state.position.revision += gap
    state.compact(state.position.revision)
    store.behind.conf = conf_text(alone)
    behind = _level(store, new_cluster_id, last, term, crc)
    await store.writer.transact(_write, behind, last, crc)
    unsure = last - max(committed, store.behind.image.applied)
    return Recovered(store.member, len(state), state.position.revision, max(0, unsure))


def _nothing() -> None:
    """Nobody is connected."""


def _forget_others(store: Opened, term: int) -> None:
    """The rows of the other members become tombstones."""
    rows = [Member.decode(row.key, row.value) for row in store.state.rows(RESOURCE)]
    gone = [replace(one, removed=True) for one in rows if one.id != store.member]
    if gone:
        commit = Commit(b"", [Write(one.key, one.encode(), ANY) for one in gone])
        applied = store.state.apply(term, commit)
        store.behind.note(applied.changes, applied.remembered)


def _level(store: Opened, cluster_id: str, last: int, term: int, crc: int) -> Behind:
    """What the image lacks, and where the new cluster stands."""
    position, retries = store.state.position, store.state.retries
    meta = Meta(
        cluster_id, store.member, store.behind.conf, term, last, crc, position.revision,
        position.floor, position.checksum, retries.last,
    )  # fmt: skip
    store.behind.whole(last, term, crc)
    found = store.behind.unsaved()
    if found is None:
        nothing = (retries.results_from, retries.results_from)
        found = Behind(meta, store.behind.tail.upto(meta.revision), (), nothing, 0)
    return replace(found, meta=meta)


def _write(connection: sqlite3.Connection, behind: Behind, last: int, crc: int) -> None:
    image.save_behind(connection, behind)
    connection.execute("DELETE FROM log")
    anchor = Entry(last, behind.meta.term, EntryType.NORMAL, b"")
    log_rows.insert(connection, [Linked(anchor, crc)])
    log_rows.save_hard_state(connection, HardState(behind.meta.term, 0, last))
