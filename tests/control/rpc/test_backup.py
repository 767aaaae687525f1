"""Cluster.Backup over gRPC: whole, consistent, for the administrator alone."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from holdfast.api import wire
from holdfast.api.backup.reading import DamagedError, Reader, summarize
from holdfast.api.client import Client, Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc
from holdfast.api.tls import keys
from holdfast.control.access.ca import Authority, open_authority
from holdfast.control.rpc.backups import AT_ONCE_MAX, BackupService
from holdfast.control.rpc.server import Listener, serve
from tests.control.registry.world import START, World, config_map, node, world
from tests.control.rpc.serving import authenticate


class Counter:
    """Bits that are random enough."""

    def __init__(self) -> None:
        self._last = 0

    def getrandbits(self, k: int, /) -> int:
        self._last += 1
        return self._last % (1 << k)


@dataclass
class Site:
    """A server of the one method, and what it reads."""

    world: World
    authority: Authority
    client: Client
    address: str

    async def backup(self, client: Client | None = None) -> bytes:
        return b"".join([data async for data in self.pieces(client or self.client)])

    async def pieces(self, client: Client) -> AsyncGenerator[bytes, None]:
        stub = cluster_pb2_grpc.ClusterStub(client.channel)
        call = stub.Backup(cluster_pb2.BackupRequest(), metadata=client.metadata())
        try:
            async for reply in call:
                yield reply.data
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error) from None
        finally:
            call.cancel()


@asynccontextmanager
async def site(path: Path) -> AsyncIterator[Site]:
    async with world(path / "data") as there:
        authority = open_authority(path, time.time, Counter())
        service = BackupService(there.engine, there.cache, authority, authenticate, lambda: START)
        address = f"unix:{path}/api.sock"
        server = await serve([Listener(address)], [service.handler()], [])
        client = Client.connect(Endpoint((address,)))
        try:
            yield Site(there, authority, client, address)
        finally:
            await client.close()
            await server.stop(0)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


async def test_all_objects_of_all_resources_and_the_authority(at: Site) -> None:
    await at.world.create("nodes", node())
    for name in ("a", "b"):
        await at.world.create("configmaps", config_map(name))
    revision = at.world.engine.revision
    data = await at.backup()
    reader = Reader(io.BytesIO(data))
    header = reader.header()
    assert (header.cluster_id, header.revision) == ("test", revision)
    assert header.created_at_ms == START * 1000
    assert header.authority.certificate_pem == at.authority.pem
    assert header.authority.key_pem == keys.to_pem(at.authority.key)
    found = {
        (frame.resource, one.namespace, one.name): (one.value, one.revision, one.created)
        for frame in reader.frames()
        for one in frame.objects
    }
    resources = {key[0] for key in found}
    assert {"nodes", "configmaps", "namespaces", "~podcidrs"} <= resources
    stored = [row for name in sorted(resources) for row in at.world.engine.rows(name)]
    assert found == {tuple(row.key): (row.value, row.revision, row.created) for row in stored}
    assert len(found) == at.world.engine.status().objects


async def test_it_holds_one_revision_while_writes_go_on(at: Site) -> None:
    for n in range(60):
        await at.world.create("configmaps", config_map(f"map-{n:02}"))
    revision, data = at.world.engine.revision, b""
    async for piece in at.pieces(at.client):
        data += piece
        await at.world.create("configmaps", config_map(f"late-{len(data)}"))
    summary = summarize(io.BytesIO(data))
    assert summary.header.revision == revision < at.world.engine.revision
    assert summary.counts["configmaps"] == 60


async def test_nobody_but_the_administrator_gets_one(at: Site) -> None:
    async with Client.connect(Endpoint((at.address,), token="node:n1")) as client:
        with pytest.raises(ApiError) as caught:
            await at.backup(client)
    assert caught.value.reason is Reason.FORBIDDEN
    assert "backups.holdfast.dev" in caught.value.message
    async with Client.connect(Endpoint((at.address,), token="nobody")) as client:
        with pytest.raises(ApiError) as caught:
            await at.backup(client)
    assert caught.value.reason is Reason.UNAUTHORIZED


async def test_history_that_ends_before_the_backup_ends_it(at: Site) -> None:
    big = config_map("big", key="v" * 400_000)
    for n in range(30):  # more than gRPC takes in advance
        big.metadata.name = f"big-{n}"
        await at.world.create("configmaps", big)
    pieces = at.pieces(at.client)
    data = await anext(pieces)
    await at.world.create("configmaps", config_map("late"))
    await at.world.engine.compact(at.world.engine.revision)
    with pytest.raises(ApiError) as caught:
        async for piece in pieces:
            data += piece
    assert caught.value.reason is Reason.EXPIRED
    with pytest.raises(DamagedError, match="is cut off"):
        summarize(io.BytesIO(data))


async def test_few_at_once(at: Site) -> None:
    big = config_map("big", key="v" * 400_000)
    for n in range(30):
        big.metadata.name = f"big-{n}"
        await at.world.create("configmaps", big)
    reading = [at.pieces(at.client) for _ in range(AT_ONCE_MAX)]
    for pieces in reading:
        await anext(pieces)
    with pytest.raises(ApiError) as caught:
        await at.backup()
    assert caught.value.reason is Reason.TOO_MANY_REQUESTS
    for pieces in reading:
        data = b"".join([piece async for piece in pieces])
        assert data
    assert summarize(io.BytesIO(await at.backup())).counts["configmaps"] == 30


async def test_one_that_is_given_up_makes_room(at: Site) -> None:
    big = config_map("big", key="v" * 400_000)
    for n in range(30):
        big.metadata.name = f"big-{n}"
        await at.world.create("configmaps", big)
    for _ in range(AT_ONCE_MAX + 1):
        pieces = await begun(at)
        await pieces.aclose()
    assert summarize(io.BytesIO(await whole(at))).counts["configmaps"] == 30


async def begun(at: Site) -> AsyncGenerator[bytes, None]:
    """A backup under way, as soon as the server has noticed that others were given up."""
    while True:
        pieces = at.pieces(at.client)
        try:
            await anext(pieces)
        except ApiError as error:
            assert error.reason is Reason.TOO_MANY_REQUESTS
            await asyncio.sleep(0.01)
        else:
            return pieces


async def whole(at: Site) -> bytes:
    while True:
        try:
            return await at.backup()
        except ApiError as error:
            assert error.reason is Reason.TOO_MANY_REQUESTS
            await asyncio.sleep(0.01)
