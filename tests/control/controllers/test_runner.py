from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.controllers import every
from holdfast.control.controllers.decisions import Controller, Decision, Key, Order, View, own_key
from holdfast.control.controllers.runner import Runner
from holdfast.control.eventshare import EventShare
from holdfast.control.recorder import Recorder
from holdfast.control.registry import Ids, Intent, Verb
from tests.control.controllers.world import World, deployment


@asynccontextmanager
async def running(
    world: World, controllers: Sequence[Controller]
) -> AsyncIterator[tuple[Runner, Recorder]]:
    recorder = Recorder(
        EventShare(lambda: world.cache.revision, lambda: world.now),
        world.registry,
        lambda: world.now,
        Ids(random.Random(1)),
    )
    runner = Runner(world.cache, world.registry, controllers, lambda: world.now, recorder)
    task = asyncio.create_task(runner.run())
    try:
        yield runner, recorder
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        world.cache.verify()


async def until(world: World, true: Callable[[], Any]) -> None:
    for _ in range(400):
        if true():
            return
        world.now += 0.01
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


class Copier:
    """Makes a Secret for each ConfigMap; raises for the one named "poison"."""

    name = "copier"
    interval_s = 0.0

    def __init__(self) -> None:
        self.triggers = {"configmaps": own_key}
        self.looks: list[str] = []
        self.broken = True

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        self.looks.append(key.name)
        if key.name == "poison" and self.broken:
            raise ValueError("poison")
        if view.get("configmaps", *key[:2]) is None or view.get("secrets", *key[:2]):
            return Decision()
        secret = core.Secret()
        secret.metadata.name = key.name if key.name != "refused" else "NO GOOD NAME"
        return Decision([Order(Intent(Verb.CREATE, "secrets", key.namespace, "", secret))])


async def config(world: World, name: str) -> None:
    await world.create("configmaps", {"metadata": {"name": name, "namespace": "default"}})


async def test_acts_on_what_is_there_and_what_comes() -> None:
    world = await World().boot()
    await config(world, "a")
    async with running(world, [Copier()]) as (runner, _):
        await until(world, lambda: world.get("secrets", "a"))
        await config(world, "b")
        await until(world, lambda: world.get("secrets", "b"))
        assert runner.counters["copier"].writes == 2
        assert runner.depths == {"copier": 0}


async def test_one_that_raises_or_is_refused_is_tried_again_and_stops_nobody() -> None:
    world = await World().boot()
    copier = Copier()
    async with running(world, [copier]) as (runner, _):
        for name in ("poison", "refused", "a"):
            await config(world, name)
        await until(world, lambda: world.get("secrets", "a"))
        await until(world, lambda: min(map(copier.looks.count, ("poison", "refused"))) >= 3)
        assert runner.counters["copier"].raised >= 3
        assert runner.counters["copier"].refused >= 3
        copier.broken = False
        await until(world, lambda: world.get("secrets", "poison"))


async def test_survives_a_store_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World().boot()
    commit, failures = world.engine.commit, []

    async def failing(what: Any) -> Any:
        if not failures and any(write.key.resource == "secrets" for write in what.writes):
            failures.append(what)
            raise ApiError(Reason.UNAVAILABLE, "disk full")
        return await commit(what)

    monkeypatch.setattr(world.engine, "commit", failing)
    async with running(world, [Copier()]):
        await config(world, "a")
        await until(world, lambda: world.get("secrets", "a"))
    assert len(failures) == 1


async def test_all_of_them_together_bring_up_a_deployment_and_tell_of_it() -> None:
    world = await World().boot()
    await world.node()
    await world.create("deployments.apps", deployment())
    async with running(world, every()) as (runner, recorder):

        def ready() -> bool:
            return bool(world.get("deployments.apps", "web").status.availableReplicas == 3)

        for _ in range(100):
            if ready():
                break
            await world.agents()
            world.now += 0.05
            await asyncio.sleep(0.001)
        assert ready()
        await recorder.flush()
        assert not any(each.raised for each in runner.counters.values())
    reasons = sorted(each.reason for each in world.all("events"))
    assert reasons == ["ScalingReplicaSet", *["SuccessfulCreate"] * 3]
