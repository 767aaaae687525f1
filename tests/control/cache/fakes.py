"""What the cache's tests build on: an engine in a temporary directory, pods, commits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.kinds import by_resource
from holdfast.api.selectors import FieldSelector, parse_fields
from holdfast.control.cache import Cache, Hub
from holdfast.control.store.commands import ANY, Commit, Key, Result, Write
from holdfast.control.store.raft_engine import RaftEngine


def pod(name: str, node: str = "", owner: str = "", **labels: str) -> core.Pod:
    message = core.Pod()
    message.metadata.name, message.metadata.namespace = name, "default"
    if node:
        message.spec.nodeName = node
    if owner:
        message.metadata.ownerReferences.add(uid="other")
        message.metadata.ownerReferences.add(uid=owner, controller=True)
    for label, value in labels.items():
        message.metadata.labels[label] = value
    return message


def put(message: Any, namespace: str = "default", resource: str = "pods") -> Write:
    key = Key(resource, namespace, message.metadata.name)
    return Write(key, message.SerializeToString(), ANY)


def drop(name: str, namespace: str = "default", resource: str = "pods") -> Write:
    return Write(Key(resource, namespace, name), None, ANY)


def on_node(node: str) -> FieldSelector:
    return parse_fields(f"spec.nodeName={node}", by_resource("pods"))


@dataclass
class Built:
    """An open store with its cache and hub."""

    engine: RaftEngine
    cache: Cache
    hub: Hub

    async def commit(self, *writes: Write, atomic: bool = False) -> Result:
        return await self.engine.commit(Commit(b"", writes, atomic=atomic))


@asynccontextmanager
async def built(path: Path, **hub: Any) -> AsyncIterator[Built]:
    engine = RaftEngine(path, randbelow, cluster_id="test")
    cache = Cache(engine, verify=True)
    await engine.start()
    made = Built(engine, cache, Hub(cache, **hub))
    try:
        yield made
        cache.verify()
    finally:
        made.hub.close()
        await engine.stop()
