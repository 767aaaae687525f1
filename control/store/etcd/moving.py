"""Moving a stopped cluster from one engine to the other: all objects, into a new store.

A new cluster id, a gap of 2^32 in the revisions, the history floor raised to it; objects keep
their revisions. The source is opened as its control node would open it, so it cannot run
meanwhile; nothing in it is changed but what a start changes. The target must be empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from holdfast.control.store import directory
from holdfast.control.store.backup.writing import make_store
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.engine import Engine, StoreError
from holdfast.control.store.etcd import importing
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import Target
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.replicated.opening import Founding

Place = Path | Target
"""A control node's data directory, or an etcd."""
MOVER = "holdfast store migrate"
SLICE_ROWS = 1_000


class Moved(NamedTuple):
    """What was moved. revision: the target's."""

    objects: int
    old_id: str
    old_revision: int
    revision: int


class Contents:
    """A listener that keeps every object."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}

    def __call__(self, changes: Sequence[Change]) -> None:
        """See engine.Listener."""
        for change in changes:
            if change.value is None:
                self._rows.pop(change.key, None)
            else:
                row = Row(change.key, change.value, change.revision, change.created)
                self._rows[change.key] = row

    def rows(self) -> list[Row]:
        """All objects, ordered by key."""
        return [self._rows[key] for key in sorted(self._rows)]


async def move(source: Place, target: Place, cluster_id: str, member: int) -> Moved:
    """Move everything. cluster_id: the new one. member: the id of the only member, where the
    target is a data directory. Raises StoreError."""
    await _check_free(target)
    contents = Contents()
    engine = await _opened(source, contents)
    try:
        _check_alone(source, engine)
        status = engine.status()
        rows = contents.rows()
        if isinstance(target, Target):
            done = await importing.make_store(target, cluster_id, status.revision, rows)
        else:
            founding = Founding(cluster_id, member, (member,))
            done = await asyncio.to_thread(_fill, target, founding, status.revision, rows)
    finally:
        await engine.stop()
    return Moved(done[0], status.cluster_id, status.revision, done[1])


async def _opened(source: Place, contents: Contents) -> Engine:
    engine: Engine
    if isinstance(source, Target):
        engine = EtcdEngine(source, new_cluster_id="", name=MOVER)
    else:
        if not await asyncio.to_thread(directory.examine, source):
            raise StoreError(f"there is no store in {source}")
        engine = RaftEngine(source, _middle)
    engine.listen(contents)
    await engine.start()
    return engine


def _middle(bound: int) -> int:
    """Instead of chance: a member that is alone has nobody to collide with."""
    return bound // 2


def _check_alone(source: Place, engine: Engine) -> None:
    if engine.status().leader:
        return
    if isinstance(source, Target):
        raise StoreError(f"a control node works on {source}: stop all of them first")
    raise StoreError(
        f"the store in {source} is one of several members: remove the others first, or force a "
        "new cluster from it"
    )


async def _check_free(target: Place) -> None:
    """An etcd says so itself."""
    if isinstance(target, Path) and await asyncio.to_thread(directory.examine, target):
        raise StoreError(f"there is a store in {target} already: move it away first")


def _fill(target: Path, founding: Founding, revision: int, rows: list[Row]) -> tuple[int, int]:
    lock = directory.claim(target)
    try:
        slices = (rows[start : start + SLICE_ROWS] for start in range(0, len(rows), SLICE_ROWS))
        return make_store(target, founding, revision, slices)
    finally:
        directory.release(lock)
