"""Reads what a stopped member's disk, or an etcd, holds: every change and the state at the end."""

from __future__ import annotations

from pathlib import Path

from holdfast.api.core.v1 import core_pb2
from holdfast.control.store.commands import Change
from holdfast.control.store.disk import FileDisk
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.replicated import readings
from holdfast.control.store.replicated.opening import open_store
from tests.integration.histories.ledger import FIELD, RESOURCE, Disk

PART = 1_000


async def read_directory(path: Path) -> Disk:
    """What the data directory of a stopped control node holds. Raises StoreError."""
    disk = FileDisk(path)
    await disk.claim()
    try:
        store = await open_store(disk, None, "")
        try:
            position = store.state.position
            changes: list[Change] = []
            while part := await readings.history(store, _last(changes) or position.floor, PART):
                changes += part
            return Disk(
                [_bare(one) for one in changes],
                position.revision, position.floor, position.checksum,
            )  # fmt: skip
        finally:
            await store.reader.close()
            await store.writer.close()
    finally:
        disk.release()


async def read_etcd(target: str) -> Disk:
    """What an etcd that no control node uses any more holds. Raises StoreError."""
    engine = EtcdEngine(parse(target), new_cluster_id="", name="reader")
    await engine.start()
    try:
        floor = engine.status().floor
        changes: list[Change] = []
        while part := await engine.history(_last(changes) or floor, PART):
            changes += part
        return Disk([_bare(one) for one in changes], engine.revision, floor)
    finally:
        await engine.stop()


def _last(changes: list[Change]) -> int:
    return changes[-1].revision if changes else 0


def _bare(change: Change) -> Change:
    """The change with the token of its write for a value, b"" where nobody of ours wrote."""
    value = change.value
    if value is not None:
        ours = change.key.resource == RESOURCE
        value = core_pb2.ConfigMap.FromString(value).data.get(FIELD, "").encode() if ours else b""
    return change._replace(value=value, previous=None)
