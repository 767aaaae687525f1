"""A node's writes, against a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine import events
from holdfast.node.machine.instructions import Record
from holdfast.node.machine.pod import PodMachine
from holdfast.node.timers import Clock, Timers
from holdfast.node.uplink.recorder import Recorder
from holdfast.node.uplink.writer import Writer
from tests.control.rpc.serving import site


class Desk:
    """A writer of node-1 with one pod bound to it."""

    def __init__(self, at, client, writer, gone, machine):
        self.at, self.client, self.writer, self.gone, self.machine = (
            at,
            client,
            writer,
            gone,
            machine,
        )

    async def stored(self):
        return await self.at.client.get("pods", "web", "default")

    async def until(self, check):
        deadline = asyncio.get_running_loop().time() + 8
        while not await check():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)

    def run(self):
        machine = self.machine
        now = 1000.0
        machine.handle(events.PodChanged(machine.pod), now)
        machine.handle(events.ImageReady("main", "there", False), now)
        machine.handle(events.SandboxStarted(0, "s", "10.0.0.9"), now)
        machine.handle(events.ContainerStarted("main", 0, "c", "ref", now), now)
        self.writer.changed(machine)


@asynccontextmanager
async def desk(path):
    async with site(path) as at:
        node = core.Node()
        node.metadata.name = "node-1"
        await at.client.create("nodes", node)
        pod = core.Pod()
        pod.metadata.name, pod.metadata.namespace = "web", "default"
        pod.spec.containers.add(name="main", image="i:1")
        await at.client.create("pods", pod, "default")
        binding = core.Binding()
        binding.metadata.name, binding.target.name = "web", "node-1"
        await at.client.create("pods", binding, "default", subresource="binding", name="web")
        stored = await at.client.get("pods", "web", "default")
        client = at.connect("node:node-1")
        timers, gone = Timers(Clock()), []
        timers.run_on_loop()
        writer = Writer(timers, Recorder("node-1"), "192.0.2.1", gone.append)
        writer.way = client
        try:
            yield Desk(at, client, writer, gone, PodMachine(stored, 1000.0))
        finally:
            timers.stop()
            await writer.stop()
            await client.close()


async def test_a_status_is_written_once(tmp_path):
    async with desk(tmp_path) as here:
        here.run()

        async def running():
            return (await here.stored()).status.phase == "Running"

        await here.until(running)
        revision = (await here.stored()).metadata.resourceVersion
        here.writer.changed(here.machine)
        await asyncio.sleep(0.1)
        assert (await here.stored()).metadata.resourceVersion == revision


async def test_a_final_delete_and_an_event(tmp_path):
    async with desk(tmp_path) as here:
        here.writer.record(here.machine, Record("Normal", "Killing", "Stopping", "main"))
        here.writer.delete(here.machine)

        async def absent():
            return not (await here.at.client.list("pods", "default")).objects

        await here.until(absent)
        (event,) = (await here.at.client.list("events", "default")).objects
        assert event.reason == "Killing"
        assert event.source.host == "node-1"


async def test_a_pod_that_is_gone_is_told(tmp_path):
    async with desk(tmp_path) as here:
        await here.at.client.delete("pods", "web", "default", grace_period_s=0)
        here.run()

        async def told():
            return here.gone == [here.machine.uid]

        await here.until(told)


async def test_what_did_not_get_through_is_sent_again(tmp_path):
    async with desk(tmp_path) as here:
        here.writer.way = None
        here.run()
        await asyncio.sleep(0.1)
        here.writer.way = here.client

        async def running():
            return (await here.stored()).status.phase == "Running"

        await here.until(running)
