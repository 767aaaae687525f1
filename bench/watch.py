"""How late watchers hear of a change: from before the write is sent until the event is decoded.

own_pods: 1,000 watchers, each of its own node's pods, 1,000 events a second in all.
one_resource: 1,000 watchers of the same ConfigMaps over 20 connections, 10 events a second to
every one of them; several changes may come in one message.
Watchers and writer are one process, so the figures hold its queueing too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import uvloop

from bench import cluster
from bench.figures import emit
from bench.load import percentile
from holdfast.api import kubeconfig
from holdfast.api.client import Client, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2

WATCHERS = 1000
CONNECTIONS = 20
SECONDS = 10.0
SENT = "holdfast.dev/sent"
RUNS = 3


class Watchers:
    """Many watch streams over a few connections; keeps the delay of every event seen."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self._tasks: list[asyncio.Task[None]] = []
        self.delays_s: list[float] = []

    async def start(self, resource: str, fields: Callable[[int], str]) -> None:
        """Open the streams; returns when each has its bookmark."""
        level = [asyncio.Event() for _ in range(WATCHERS)]
        for number, event in enumerate(level):
            follow = self._follow(number, resource, fields(number), event)
            self._tasks.append(asyncio.create_task(follow))
        await asyncio.gather(*(event.wait() for event in level))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, number: int, resource: str, fields: str, level: asyncio.Event) -> None:
        client = self._clients[number % CONNECTIONS]
        async for batch in client.watch(resource, "default", fields=fields):
            now = time.time()
            for event in batch:
                if event.object is None:
                    level.set()
                elif level.is_set() and (sent := event.object.metadata.annotations.get(SENT)):
                    self.delays_s.append(now - float(sent))


async def write_at(client: Client, per_s: int, make: Callable[[int], Any], resource: str) -> None:
    """Update objects at a steady pace, as one batch a tick of 20 ms (or one object a tick)."""
    tick_s = max(0.02, 1 / per_s)
    count = max(1, round(per_s * tick_s))
    started, number, ticks = time.monotonic(), 0, 0
    while (now := time.monotonic()) < started + SECONDS:
        await asyncio.sleep(started + ticks * tick_s - now)
        ticks += 1
        messages = [make(number + index) for index in range(count)]
        number += count
        outcomes = await client.batch([Write(WriteVerb.UPDATE, resource, m) for m in messages])
        if refused := [outcome.error for outcome in outcomes if outcome.error]:
            raise refused[0]


def bound_pod(number: int) -> core_pb2.Pod:
    """A pod of node `watched-<number>`, marked with the time it was written."""
    pod = core_pb2.Pod()
    pod.metadata.name, pod.metadata.namespace = f"watched-{number}", "default"
    pod.metadata.annotations[SENT] = repr(time.time())
    pod.spec.nodeName = f"watched-{number}"
    pod.spec.containers.add(name="main", image="localhost/holdfast-demo:1")
    pod.spec.tolerations.add(operator="Exists")
    return pod


def config_map(number: int) -> core_pb2.ConfigMap:
    message = core_pb2.ConfigMap()
    message.metadata.name, message.metadata.namespace = f"watched-{number % 10}", "default"
    message.metadata.annotations[SENT] = repr(time.time())
    message.data["value"] = "x" * 200
    return message


def node(number: int) -> core_pb2.Node:
    message = core_pb2.Node()
    message.metadata.name = f"watched-{number}"
    return message


async def create_all(client: Client, resource: str, messages: list[Any]) -> None:
    for start in range(0, len(messages), 500):
        writes = [Write(WriteVerb.CREATE, resource, m) for m in messages[start : start + 500]]
        refused = [outcome.error for outcome in await client.batch(writes) if outcome.error]
        if refused:
            raise refused[0]


async def measure(here: cluster.Cluster) -> None:
    endpoint = kubeconfig.load((here.kubeconfig,))
    clients = [Client.connect(endpoint) for _ in range(CONNECTIONS)]
    writer = Client.connect(endpoint)
    await create_all(writer, "nodes", [node(number) for number in range(WATCHERS)])
    await create_all(writer, "pods", [bound_pod(number) for number in range(WATCHERS)])
    await create_all(writer, "configmaps", [config_map(number) for number in range(10)])
    await own_pods(clients, writer)
    await one_resource(clients, writer)
    for client in [*clients, writer]:
        await client.close()


async def own_pods(clients: list[Client], writer: Client) -> None:
    worst, seen = [], []
    for _ in range(RUNS):
        watchers = Watchers(clients)
        await watchers.start("pods", lambda number: f"spec.nodeName=watched-{number}")
        await write_at(writer, 1000, lambda number: bound_pod(number % WATCHERS), "pods")
        await asyncio.sleep(1)
        await watchers.stop()
        worst.append(percentile(watchers.delays_s, 0.99) * 1e3)
        seen.append(len(watchers.delays_s) / SECONDS)
    emit("watch.own_pods.p99_ms", worst, "ms")
    emit("watch.own_pods.events_per_s", seen, "events/s")


async def one_resource(clients: list[Client], writer: Client) -> None:
    worst, seen = [], []
    for _ in range(RUNS):
        watchers = Watchers(clients)
        await watchers.start("configmaps", lambda _number: "")
        await write_at(writer, 10, config_map, "configmaps")
        await asyncio.sleep(1)
        await watchers.stop()
        worst.append(percentile(watchers.delays_s, 0.99) * 1e3)
        seen.append(len(watchers.delays_s) / SECONDS)
    emit("watch.one_resource.p99_ms", worst, "ms")
    emit("watch.one_resource.deliveries_per_s", seen, "deliveries/s")


def main() -> None:
    with cluster.hollow(1) as here:
        uvloop.run(measure(here))


if __name__ == "__main__":
    main()
