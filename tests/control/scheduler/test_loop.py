from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from holdfast.api.objects import readiness
from holdfast.control.eventshare import EventShare
from holdfast.control.recorder import Recorder
from holdfast.control.registry import Ids, Intent, Verb
from holdfast.control.scheduler.loop import SchedulerLoop
from tests.control.controllers.world import World, pod
from tests.control.scheduler.clusters import rng


@asynccontextmanager
async def scheduling(world: World) -> AsyncIterator[tuple[SchedulerLoop, Recorder]]:
    recorder = Recorder(
        EventShare(lambda: world.cache.revision, lambda: world.now),
        world.registry,
        lambda: world.now,
        Ids(random.Random(1)),
    )
    loop = SchedulerLoop(world.cache, world.registry, recorder, lambda: world.now, rng())
    task = asyncio.create_task(loop.run())
    try:
        yield loop, recorder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        world.cache.verify()


async def until(world: World, true: Callable[[], Any]) -> None:
    for _ in range(200):
        if true():
            return
        world.now += 0.01
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


async def sized(world: World, name: str, cpu: str = "2") -> None:
    await world.create("nodes", {"metadata": {"name": name}})

    def offer(node: Any) -> None:
        for resource, amount in (("cpu", cpu), ("memory", "4Gi"), ("pods", "10")):
            node.status.allocatable[resource].string = amount
            node.status.capacity[resource].string = amount

    await world.change("nodes", name, offer, "status")


def asking(name: str, cpu: str, **spec: Any) -> dict[str, Any]:
    tree = pod(name, **spec)
    tree["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return tree


def node_of(world: World, name: str) -> str:
    return str(world.get("pods", name).spec.nodeName)


async def test_binds_what_waits_and_what_comes() -> None:
    world = await World().boot()
    await sized(world, "n1")
    await world.create("pods", asking("a", "1"))
    async with scheduling(world) as (loop, recorder):
        await until(world, lambda: node_of(world, "a") == "n1")
        await world.create("pods", asking("b", "1"))
        await until(world, lambda: node_of(world, "b") == "n1")
        await until(world, lambda: loop.waiting == 0)
        await recorder.flush()
    (first, _) = world.all("events")
    assert (first.reason, first.message) == (
        "Scheduled", "Successfully assigned default/a to n1"
    )  # fmt: skip
    scheduled = readiness.condition(world.get("pods", "a").status.conditions, "PodScheduled")
    assert scheduled.status == "True"


async def test_a_pod_that_fits_nowhere_is_told_once_and_tried_when_something_changes() -> None:
    world = await World().boot()
    await sized(world, "n1")
    await world.create("pods", asking("big", "3"))

    def told() -> Any:
        return readiness.condition(world.get("pods", "big").status.conditions, "PodScheduled")

    async with scheduling(world) as (_, recorder):
        await until(world, told)
        assert told().reason == "Unschedulable"
        assert told().message == "0/1 nodes are available: 1 Insufficient cpu."
        await recorder.flush()
        assert [each.reason for each in world.all("events")] == ["FailedScheduling"]
        revision = world.cache.revision
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert world.cache.revision == revision, "no polling"
        await sized(world, "n2", "4")
        await until(world, lambda: node_of(world, "big") == "n2")


async def test_room_that_a_pod_leaves_is_used() -> None:
    world = await World().boot()
    await sized(world, "n1")
    async with scheduling(world) as (_, _):
        await world.create("pods", asking("a", "2"))
        await until(world, lambda: node_of(world, "a") == "n1")
        await world.create("pods", asking("b", "2"))
        await until(world, lambda: world.get("pods", "b").status.conditions)
        await world.delete("pods", "a", grace_period_s=0)
        await until(world, lambda: node_of(world, "b") == "n1")


async def test_counts_what_runs_already_and_leaves_alone_what_is_not_its_own() -> None:
    world = await World().boot()
    await sized(world, "n1")
    await world.create("pods", asking("there", "2", nodeName="n1"))
    await world.create("pods", asking("late", "1"))
    async with scheduling(world) as (loop, _):
        await until(world, lambda: world.get("pods", "late").status.conditions)
        assert not node_of(world, "late")
        await world.delete("pods", "late")
        await until(world, lambda: loop.waiting == 0)


async def test_a_refused_binding_gives_the_room_back() -> None:
    world = await World().boot()
    await sized(world, "n1")
    await world.create("pods", asking("a", "2"))

    commit, refusals = world.registry.commit, []

    async def refuse_once(intents: Any, *arguments: Any, **options: Any) -> Any:
        if not refusals and any(intent.subresource == "binding" for intent in intents):
            refusals.append(1)
            await world.do(Intent(Verb.DELETE, "pods", "default", "a"))
            await world.create("pods", asking("b", "2"))
        return await commit(intents, *arguments, **options)

    world.registry.commit = refuse_once  # type: ignore[method-assign]
    async with scheduling(world) as (loop, _):
        await until(world, lambda: refusals)
        await until(world, lambda: loop.counters.refused)
        await until(world, lambda: node_of(world, "b") == "n1")


async def test_a_thousand_pods() -> None:
    world = await World().boot()
    for number in range(100):
        await sized(world, f"n{number}", "4")
    async with scheduling(world) as (loop, _):
        for start in range(0, 1000, 100):
            await asyncio.gather(
                *(world.create("pods", asking(f"p{n}", "100m")) for n in range(start, start + 100))
            )
        await until(world, lambda: loop.counters.bound == 1000)
    assert all(each.spec.nodeName for each in world.all("pods"))
