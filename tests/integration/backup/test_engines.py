"""A backup taken from an etcd, restored into the embedded engine: the file knows no engine."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.api.backup.reading import summarize
from holdfast.api.identity import ADMINS, Identity
from holdfast.api.rpc.v1 import cluster_pb2
from holdfast.control.access.ca import open_authority
from holdfast.control.cache import Cache
from holdfast.control.restore import restore
from holdfast.control.rpc.backups import BackupService
from holdfast.control.store.backup.writing import GAP
from holdfast.control.store.commands import ANY, Commit, Key, Row, Write
from holdfast.control.store.engine import Engine, ExpiredError
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.replicated.opening import Founding
from tests.control.registry.world import world
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = pytest.mark.integration

RESOURCES = ("~ips", "~maps")


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """The address of an etcd."""
    servers = EtcdServers(tmp_path / "etcd")
    try:
        servers.start()
        yield f"etcd://{servers.hosts}"
    finally:
        servers.stop()


@asynccontextmanager
async def on_etcd(address: str) -> AsyncIterator[tuple[EtcdEngine, Cache]]:
    engine = EtcdEngine(parse(address), new_cluster_id="theirs")
    cache = Cache(engine)
    await engine.start()
    try:
        yield engine, cache
    finally:
        await engine.stop()


async def backup(engine: Engine, cache: Cache, path: Path) -> bytes:
    async def authenticate(_context: object) -> Identity:
        raise AssertionError("called directly")

    admin = Identity("admin", (ADMINS,))
    authority = open_authority(path, time.time, random.SystemRandom())
    service = BackupService(engine, cache, authority, authenticate, time.time)
    pieces = service.backup(cluster_pb2.BackupRequest(), admin, asyncio.Event().wait)
    return b"".join([cluster_pb2.BackupReply.FromString(piece).data async for piece in pieces])


def write(resource: str, name: str, value: bytes | None = b"v") -> Write:
    return Write(Key(resource, "", name), value, ANY)


async def fill(engine: Engine) -> list[Row]:
    """Objects with a history: many of one commit, some changed, some gone."""
    await engine.commit(Commit(b"", [write("~maps", f"{n:04}") for n in range(500)]))
    pair = [write("~maps", "first"), write("~ips", "10.0.0.1")]
    await engine.commit(Commit(b"", pair, atomic=True))
    await engine.commit(Commit(b"", [write("~maps", f"{n:04}", b"w") for n in range(0, 500, 3)]))
    await engine.commit(Commit(b"", [write("~maps", f"{n:04}", None) for n in range(1, 500, 3)]))
    return [row for name in RESOURCES for row in engine.rows(name)]


async def test_from_etcd_into_the_embedded_engine(etcd: str, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    async with on_etcd(etcd) as (engine, cache):
        rows, revision = await fill(engine), engine.revision
        data = await backup(engine, cache, tmp_path)
    file.write_bytes(data)
    with file.open("rb") as opened:
        summary = summarize(opened)
    assert summary.header.revision == revision
    assert summary.objects == len(rows)
    done = restore(file, tmp_path / "new", Founding("test", 5, (5,)))
    assert (done.objects, done.old_id, done.revision) == (len(rows), "theirs", revision + GAP)
    async with world(tmp_path / "new/control", booted=False) as there:
        assert [row for name in RESOURCES for row in there.engine.rows(name)] == rows
        with pytest.raises(ExpiredError):
            await there.engine.history(revision, 10)
