"""Following a control plane over mutual TLS: news, what went while away, new credentials."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.api.client import Endpoint
from holdfast.api.rpc.v1 import resources_pb2, resources_pb2_grpc
from holdfast.api.tls import credentials
from holdfast.api.transport.server import Server
from holdfast.control.access.ca import Authority, open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.netproxy import following
from holdfast.netproxy.following import Following
from holdfast.netproxy.picture import NODES, SERVICES
from tests.netproxy.builders import node, service
from tests.netproxy.dns.zones import picture
from tests.netproxy.waiting import until


class Control(resources_pb2_grpc.ResourcesServicer):
    """A control plane that holds services only. Each watch is told all, then the changes."""

    def __init__(self) -> None:
        self.watches: list[asyncio.Queue[resources_pb2.WatchReply]] = []
        self.services = {"web": service("web", "10.96.1.1", ports=[("http", 80)])}
        self.revision = 1

    async def Watch(self, request: Any, _context: Any) -> AsyncIterator[resources_pb2.WatchReply]:  # noqa: N802
        reply = resources_pb2.WatchReply()
        if request.resource == SERVICES:
            for made in self.services.values():
                made.metadata.resourceVersion = "1"
                data = made.SerializeToString()
                reply.events.add(type=resources_pb2.ADDED, revision=1, object=data)
        reply.events.add(type=resources_pb2.BOOKMARK, revision=self.revision)
        yield reply
        queue: asyncio.Queue[resources_pb2.WatchReply] = asyncio.Queue()
        if request.resource == SERVICES:
            self.watches.append(queue)
        while True:
            yield await queue.get()

    def tell(self, kind: Any, made: Any) -> None:
        self.revision += 1
        made.metadata.resourceVersion = str(self.revision)
        reply = resources_pb2.WatchReply()
        reply.events.add(type=kind, revision=self.revision, object=made.SerializeToString())
        for queue in self.watches:
            queue.put_nowait(reply)


class World:
    """A control plane, its authority, and a credentials directory."""

    def __init__(self, directory: Path) -> None:
        self.control = Control()  # type: ignore[abstract]
        self.authority: Authority = open_authority(
            directory / "control", time.time, random.SystemRandom()
        )
        self.directory = directory / "credentials"
        self.server: Any = Server()
        resources_pb2_grpc.add_ResourcesServicer_to_server(self.control, self.server)
        self.address = ""
        self.picture = picture()
        self.changes = asyncio.Event()
        self.following = Following(self.picture, self.directory, self.changes.set)

    async def listen(self) -> None:
        tls = ServerCertificate(self.authority, ()).mutual_tls()
        self.address = await self.server.listen("127.0.0.1:0", tls)

    def join(self) -> Endpoint:
        endpoint = self.authority.admin([self.address])
        credentials.save(self.directory, endpoint)
        return endpoint


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(following, "CREDENTIALS_WAIT_S", 0.01)
    monkeypatch.setattr(following, "CREDENTIALS_CHECK_S", 0.05)
    made = World(tmp_path)
    await made.listen()
    task = asyncio.create_task(made.following.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await made.server.stop(None)


async def test_the_picture_becomes_what_is_told(world: World) -> None:
    world.picture.put(NODES, node("gone", "10.244.9.0/24", "192.168.7.9"))
    assert world.picture.zone.find("db.default.svc.cluster.local").exists
    await asyncio.sleep(0.03)
    assert not world.following.complete.is_set()
    world.join()
    async with asyncio.timeout(5):
        await world.following.complete.wait()
    assert world.changes.is_set()
    assert [port.name for port in world.picture.ports] == ["default/web:http"]
    assert world.picture.nodes == []
    assert not world.picture.zone.find("db.default.svc.cluster.local").exists


async def test_changes_arrive(world: World) -> None:
    world.join()
    await until(lambda: len(world.control.watches) == 1)
    world.control.tell(resources_pb2.ADDED, service("new", "10.96.9.9"))
    await until(lambda: len(world.picture.ports) == 2)
    world.control.tell(resources_pb2.DELETED, service("new", "10.96.9.9"))
    await until(lambda: len(world.picture.ports) == 1)


async def test_renewed_credentials_are_taken_up(world: World) -> None:
    world.join()
    await until(lambda: len(world.control.watches) == 1)
    world.join()
    await until(lambda: len(world.control.watches) == 2)
    world.control.tell(resources_pb2.ADDED, service("new", "10.96.9.9"))
    await until(lambda: len(world.picture.ports) == 2)
