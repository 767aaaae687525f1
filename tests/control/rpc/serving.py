"""A real gRPC server on a unix socket, on a real engine, cache, hub and registry."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.api.client import Client, Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity, of_node
from holdfast.control.cache.hub import Hub
from holdfast.control.eventshare import EventShare
from holdfast.control.rpc import cluster, resources
from holdfast.control.rpc.server import Listener, Server, serve
from holdfast.control.store.replicated.members import Member
from tests.control.registry.world import ADMIN, World, world


async def authenticate(context: Any) -> Identity:
    """By the bearer token: "node:x" is a node, "nobody" is nobody; without, an administrator."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            name = str(value).removeprefix("Bearer ")
            if name == "nobody":
                raise ApiError(Reason.UNAUTHORIZED, "nobody knows you")
            return of_node(name.removeprefix("node:"))
    return ADMIN


@dataclass
class Site:
    """world: what the server writes to. client: an administrator."""

    world: World
    hub: Hub
    server: Server
    client: Client

    @property
    def address(self) -> str:
        return self.server.addresses[0]

    @property
    def share(self) -> EventShare:
        return EventShare(lambda: self.world.engine.revision, time.monotonic)

    def connect(self, name: str) -> Client:
        return Client.connect(Endpoint((self.address,), token=name))


async def started(there: World, hub: Hub, address: str) -> Server:
    engine, cache = there.engine, there.cache
    share = EventShare(lambda: engine.revision, time.monotonic)
    await engine.announce(Member(engine.member, "control-1", "127.0.0.1:1", (address,)))
    services = (
        resources.ResourcesService(engine, cache, hub, there.registry, authenticate, share),
        cluster.ClusterService(engine, cache, authenticate, engine),
    )
    return await serve(
        [Listener(address)],
        [service.handler() for service in services],
        [resources.NAME, cluster.NAME],
    )


@asynccontextmanager
async def site(path: Path, address: str = "") -> AsyncIterator[Site]:
    async with world(path / "data") as there:
        hub = Hub(there.cache)
        server = await started(there, hub, address or f"unix:{path}/api.sock")
        client = Client.connect(Endpoint(tuple(server.addresses)))
        at = Site(there, hub, server, client)
        try:
            yield at
        finally:
            await client.close()
            at.hub.close()
            await at.server.stop(0)
