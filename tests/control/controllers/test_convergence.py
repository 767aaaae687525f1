"""I8: the controllers converge from any state, in any order of events, after any crash."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.errors import ApiError
from holdfast.api.objects import readiness
from holdfast.control.controllers import every
from holdfast.control.registry import Intent, Verb
from tests.control.controllers.endpointslices.test_controller import service, state
from tests.control.controllers.world import ADMIN, World, deployment, pod

ACTS = (
    "scale",
    "image",
    "kill",
    "fail",
    "relabel",
    "stray",
    "crash",
    "steps",
    "remove_set",
    "edit",
)


async def act(world: World, name: str, rng: random.Random) -> None:
    """Something a user, a node or a fault does; a refusal is fine."""
    pods = world.cache.list("pods", "default")
    sets = world.cache.list("replicasets.apps", "default")
    if name == "crash":
        world.start(*every())
    elif name == "steps":
        for _ in range(rng.randrange(30)):
            await world.step()
            if rng.random() < 0.3:
                await world.agents()
    elif name == "stray":
        await write(world, Intent(Verb.CREATE, "pods", "", "", _stray(rng)))
    elif name in ("scale", "image"):
        copy = world.copy("deployments.apps", "web")
        copy.spec.replicas = rng.randrange(6)
        copy.spec.template.spec.containers[0].image = f"web:{rng.randrange(3)}"
        await write(world, Intent(Verb.UPDATE, "deployments.apps", "default", "web", copy))
    elif name in ("remove_set", "edit") and sets:
        entry = rng.choice(sets)
        copy = type(entry.message)()
        copy.CopyFrom(entry.message)
        copy.spec.replicas = rng.randrange(6)
        verb = Verb.DELETE if name == "remove_set" else Verb.UPDATE
        message = None if verb is Verb.DELETE else copy
        await write(world, Intent(verb, *entry.key, message))
    elif pods:
        entry = rng.choice(pods)
        copy = type(entry.message)()
        copy.CopyFrom(entry.message)
        if name == "kill":
            await write(world, Intent(Verb.DELETE, *entry.key))
        elif name == "fail":
            copy.status.phase = "Failed"
            await write(world, Intent(Verb.UPDATE, *entry.key, copy, "status"))
        else:
            copy.metadata.labels["app"] = "other"
            await write(world, Intent(Verb.UPDATE, *entry.key, copy))


def _stray(rng: random.Random) -> object:
    from holdfast.api import codec
    from holdfast.api.core.v1 import core_pb2 as core

    return codec.from_json(core.Pod, pod(f"stray-{rng.randrange(4)}"))[0]


async def write(world: World, intent: Intent) -> None:
    (answer,) = await world.registry.commit([intent], ADMIN)
    assert not isinstance(answer, ApiError) or answer.reason != "InternalError"


def check(world: World) -> None:
    """The end: the right pods, the right counts, the right endpoints, nothing left over."""
    wanted = world.get("deployments.apps", "web")
    image = wanted.spec.template.spec.containers[0].image
    mine = [
        each
        for each in world.all("pods")
        if readiness.pod_active(each)
        and each.metadata.labels.get("app") == "web"
        and any(owner.controller for owner in each.metadata.ownerReferences)
    ]
    assert len(mine) == wanted.spec.replicas
    assert {each.spec.containers[0].image for each in mine} <= {image}
    status = wanted.status
    assert status.availableReplicas == status.updatedReplicas == wanted.spec.replicas
    serving = {
        each.metadata.name
        for each in world.all("pods")
        if readiness.pod_active(each) and each.metadata.labels.get("app") == "web"
    }
    assert set(state(world)) == serving
    uids = {each.metadata.uid for each in world.all("replicasets.apps")}
    for each in world.all("pods"):
        assert {owner.uid for owner in each.metadata.ownerReferences} <= uids


async def run(acts: list[str], seed: int) -> None:
    world = await World(seed).boot()
    await world.node()
    world.start(*every())
    await world.create("services", service())
    await world.create("deployments.apps", deployment())
    for name in acts:
        await act(world, name, world.rng)
    await world.settle()
    await world.wait(61)
    check(world)
    revision = world.cache.revision
    world.start(*every())
    await world.settle()
    assert world.cache.revision == revision, "at rest, a restart writes nothing"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ACTS), max_size=12), st.integers(0, 2**16))
def test_controllers_converge(acts: list[str], seed: int) -> None:
    asyncio.run(run(acts, seed))
