"""A control node with its sessions, over real listeners, and node agents to speak for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from holdfast.api import wire as errors
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.api.identity import ADMINS, Identity, of_node
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.rpc.v1 import sessions_pb2_grpc
from holdfast.api.tls import keys
from holdfast.control.cache.hub import Hub
from holdfast.control.eventshare import EventShare
from holdfast.control.registry import Ids, Intent, Registry, Verb, bootstrap
from holdfast.control.rpc.pods import PodsService
from holdfast.control.rpc.resources import ResourcesService
from holdfast.control.rpc.sessions import SessionsService
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams
from tests.control.access.doors import Clock, Open, channel, open_doors

ADMIN = Identity("admin", (ADMINS,))


@dataclass
class Control:
    """A control node under test."""

    doors: Open
    registry: Registry
    sessions: Sessions
    running: asyncio.Task[None] | None = None

    async def end_term(self) -> None:
        """Another control node leads now."""
        assert self.running is not None
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    def begin_term(self, term: int = 0) -> None:
        """This one leads again. term 0: the store's, whatever it is."""
        self.running = asyncio.create_task(self.sessions.run(term))

    async def create(self, resource: str, message: Any) -> None:
        [answer] = await self.registry.commit(
            [Intent(Verb.CREATE, resource, "", "", message)], ADMIN
        )
        if isinstance(answer, ApiError):
            raise answer

    def node(self, name: str) -> core.Node:
        entry = self.doors.cache.get("nodes", "", name)
        assert entry is not None
        message: core.Node = entry.message
        return message

    def node_credentials(self, name: str) -> Endpoint:
        """What a node that joined has."""
        authority = self.doors.authority
        key = keys.new()
        pem = authority.issue_client(of_node(name), key.public_key(), 3600)
        return Endpoint((self.doors.mutual,), authority.pem, pem, keys.to_pem(key))

    def connection(self, endpoint: Endpoint) -> grpc.aio.Channel:
        """A connection to the mutual-TLS listener."""
        return channel(self.doors.mutual, endpoint)

    @asynccontextmanager
    async def agent(self, name: str) -> AsyncIterator[Any]:
        """The Sessions stub of a node's agent."""
        async with self.connection(self.node_credentials(name)) as connection:
            yield sessions_pb2_grpc.SessionsStub(connection)

    @asynccontextmanager
    async def user(self) -> AsyncIterator[Any]:
        """The Pods stub of the administrator."""
        async with self.connection(self.doors.admin()) as connection:
            yield sessions_pb2_grpc.PodsStub(connection)


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    made: list[Control] = []

    def build(doors: Open) -> Control:
        ids = Ids(random.Random(3), random.Random)
        registry = Registry(doors.engine, doors.cache, doors.clock, ids)
        sessions = Sessions(doors.cache, registry, doors.clock)
        doors.revocations.listen(sessions.revoked)
        made.append(Control(doors, registry, sessions))
        return made[0]

    def session_handler(doors: Open) -> Any:
        control = build(doors)
        control_streams.append(Streams(control.sessions, random.Random(5).randbytes))
        who = doors.authenticator.authenticate
        share = EventShare(lambda: doors.engine.revision, doors.clock)
        objects = ResourcesService(
            doors.engine, doors.cache, Hub(doors.cache), control.registry, who, share
        )
        return SessionsService(control.sessions, control_streams[0], who, objects.batch).handler()

    def pods_handler(doors: Open) -> Any:
        authenticate = doors.authenticator.authenticate
        return PodsService(doors.cache, control_streams[0], authenticate).handler()

    control_streams: list[Streams] = []
    clock = Clock(time.time())
    async with open_doors(tmp_path, clock, handlers=(session_handler, pods_handler)) as doors:
        await bootstrap(made[0].registry)
        made[0].begin_term()
        yield made[0]
        await made[0].end_term()
        doors.cache.verify()


def hello(name: str) -> wire.NodeMessage:
    return wire.NodeMessage(hello=wire.Hello(node_name=name, boot_id="b", agent_version="1"))


async def refusal(call: Any) -> ApiError:
    """The error with which a stream ends."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return errors.from_rpc_error(error)
    raise AssertionError(f"the stream ended in order: {await call.code()}")


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 — it looks at the cache, which has no event
            await asyncio.sleep(0.01)
