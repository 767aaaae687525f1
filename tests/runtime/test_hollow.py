"""The hollow runtime is held to what containerd does; and what only it can do."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from holdfast.runtime.hollow import INSTANT, HollowMachine, Timings, addresses
from holdfast.runtime.hollow_runtime import HollowRuntime
from holdfast.runtime.interface import EventKind, Fault, RuntimeFault, SandboxSpec
from tests.runtime.conformance import Lab, RuntimeConformance

IMAGE = "localhost/holdfast-demo:1"


def made():
    rng = random.Random(1)
    machine = HollowMachine(
        rng, addresses(0x0A000001), frozenset({IMAGE}), frozenset({"localhost/none:1"})
    )
    return HollowRuntime(machine, time.time, INSTANT, rng)


class TestHollowRuntime(RuntimeConformance):
    @pytest.fixture
    def lab(self):
        return Lab(made(), IMAGE, "/nowhere")


def test_one_seed_one_machine():
    def ids(seed):
        machine = HollowMachine(random.Random(seed), addresses(1))
        return [machine.add_sandbox(SandboxSpec("a", "d", str(i), 0), 1.0).id for i in range(3)]

    assert ids(5) == ids(5) != ids(6)


def test_addresses():
    found = addresses(0x644000FF)
    assert [next(found), next(found)] == ["100.64.0.255", "100.64.1.0"]


def test_durations_are_spread_around_their_mean():
    rng, timings = random.Random(1), Timings(spread=0.25)
    drawn = [timings.draw(1.0, rng) for _ in range(200)]
    assert 0.75 <= min(drawn) < 0.8 < 1.2 < max(drawn) <= 1.25
    assert timings.faster(2).sandbox_s == timings.sandbox_s / 2


async def test_a_kill_from_outside_is_an_event():
    runtime = made()
    _, container_id = await Lab(runtime, IMAGE, "").running("a")
    stream = runtime.events()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    runtime.out_of_memory(container_id)
    assert (await first).kind is EventKind.OOM
    assert (await anext(stream)).kind is EventKind.EXITED
    assert (await runtime.container_status(container_id)).reason == "OOMKilled"
    runtime.vanish(True)
    with pytest.raises(RuntimeFault) as raised:
        await anext(stream)
    assert raised.value.fault is Fault.UNAVAILABLE
    with pytest.raises(RuntimeFault):
        await runtime.version()
