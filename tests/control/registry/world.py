"""A registry on a real engine and cache, and short ways to write objects through it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import randbelow
from typing import Any

from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.api.identity import ADMINS, Identity
from holdfast.control.cache import Cache, Entry
from holdfast.control.registry import Done, Ids, Intent, Ranges, Registry, Verb, bootstrap
from holdfast.control.registry.ids import Derived
from holdfast.control.store.raft_engine import RaftEngine

ADMIN = Identity("admin", (ADMINS,))
START = 1_800_000_000.0


@dataclass
class World:
    """clock: move `now` to let time pass."""

    engine: RaftEngine
    cache: Cache
    registry: Registry = field(init=False)
    now: float = START
    seed: int = 7
    ranges: Ranges = field(default_factory=Ranges)

    def __post_init__(self) -> None:
        ids = Ids(random.Random(self.seed), Derived)
        self.registry = Registry(self.engine, self.cache, lambda: self.now, ids, self.ranges)

    async def commit(self, *intents: Intent, **options: Any) -> list[Done | ApiError]:
        return await self.registry.commit(intents, ADMIN, **options)

    async def one(self, intent: Intent, **options: Any) -> Entry | None:
        """Commit one intent; raises its refusal."""
        answer = (await self.commit(intent, **options))[0]
        if isinstance(answer, ApiError):
            raise answer
        return answer.entry

    async def create(self, resource: str, message: Any, **options: Any) -> Entry:
        entry = await self.one(Intent(Verb.CREATE, resource, "", "", message), **options)
        assert entry is not None
        return entry

    async def update(
        self, resource: str, message: Any, subresource: str = "", **options: Any
    ) -> Entry:
        meta = message.metadata
        intent = Intent(Verb.UPDATE, resource, meta.namespace, meta.name, message, subresource)
        entry = await self.one(intent, **options)
        assert entry is not None
        return entry

    async def delete(self, resource: str, name: str, namespace: str = "default", **how: Any) -> Any:
        return await self.one(Intent(Verb.DELETE, resource, namespace, name, **how))

    def get(self, resource: str, name: str, namespace: str = "default") -> Any:
        entry = self.cache.get(resource, namespace, name)
        return None if entry is None else entry.message

    def copy(self, resource: str, name: str, namespace: str = "default") -> Any:
        message = self.get(resource, name, namespace)
        copy = type(message)()
        copy.CopyFrom(message)
        return copy


@asynccontextmanager
async def world(path: Path, *, booted: bool = True, **options: Any) -> AsyncIterator[World]:
    engine = RaftEngine(path, randbelow, cluster_id="test")
    cache = Cache(engine, verify=True)
    await engine.start()
    try:
        made = World(engine, cache, **options)
        if booted:
            await bootstrap(made.registry)
        yield made
        cache.verify()
    finally:
        await engine.stop()


def config_map(name: str = "settings", **data: str) -> core.ConfigMap:
    message = core.ConfigMap(data=data or {"key": "value"})
    message.metadata.name, message.metadata.namespace = name, "default"
    return message


def pod(name: str = "", node: str = "", generate: str = "") -> core.Pod:
    message = core.Pod()
    meta = message.metadata
    meta.namespace = "default"
    if name:
        meta.name = name
    if generate:
        meta.generateName = generate
    message.spec.containers.add(name="main", image="busybox:1")
    if node:
        message.spec.nodeName = node
    return message


def node(name: str = "n1") -> core.Node:
    message = core.Node()
    message.metadata.name = name
    return message


def service(name: str = "web", port: int = 80, **spec: Any) -> core.Service:
    message = core.Service()
    message.metadata.name, message.metadata.namespace = name, "default"
    message.spec.ports.add(port=port, protocol="TCP")
    for key, value in spec.items():
        setattr(message.spec, key, value)
    return message


def deployment(name: str = "web", replicas: int = 3) -> apps.Deployment:
    message = apps.Deployment()
    message.metadata.name, message.metadata.namespace = name, "default"
    message.spec.replicas = replicas
    message.spec.selector.matchLabels["app"] = name
    message.spec.template.metadata.labels["app"] = name
    message.spec.template.spec.containers.add(name="main", image="busybox:1")
    return message


def namespace(name: str = "team") -> core.Namespace:
    message = core.Namespace()
    message.metadata.name = name
    return message
