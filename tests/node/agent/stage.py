"""A real agent's shell on the hollow runtime, without a control node."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.node.agent.cgroups import Cgroups
from holdfast.node.agent.executor import Executor
from holdfast.node.agent.objects import ObjectSource
from holdfast.node.agent.tools import Tools
from holdfast.node.agent.watcher import Watcher
from holdfast.node.machine import status
from holdfast.node.pods import Pods
from holdfast.node.specs.building import Place
from holdfast.node.specs.resolution import ClusterDns
from holdfast.node.timers import Clock, Timers
from holdfast.node.uplink.recorder import Recorder
from holdfast.node.uplink.writer import Writer
from holdfast.runtime.hollow import INSTANT, HollowMachine, Timings, addresses
from holdfast.runtime.hollow_runtime import HollowRuntime

IMAGE = "localhost/demo:1"


class Objects(ObjectSource):
    """ConfigMaps and Secrets of a test, by name."""

    def __init__(self, clock):
        super().__init__(clock)
        self.found = {}

    async def _fetch(self, resource, namespace, name):
        if self.found is None:
            raise ApiError(Reason.UNAVAILABLE, "cannot reach the control node")
        return self.found.get((resource, name))

    async def _list_services(self, namespace):
        return []


class Stage:
    """Everything of an agent but its uplink."""

    def __init__(self, directory: Path, timings: Timings = INSTANT) -> None:
        clock, rng = Clock(), random.Random(1)
        self.hollow = HollowMachine(
            rng, addresses(0x0A000001), frozenset({IMAGE}), frozenset({"localhost/none:1"})
        )
        self.runtime = HollowRuntime(self.hollow, clock, timings, rng)
        mount = directory / "cgroup"
        mount.mkdir()
        place = Place("node-1", "192.0.2.1", directory / "data", "/h", 1 << 30, ClusterDns())
        self.objects = Objects(clock)
        self.tools = Tools(self.runtime, place, self.objects, Cgroups("/h", mount), {})
        self.timers = Timers(clock)
        self.recorder = Recorder("node-1")
        self.writer = Writer(self.timers, self.recorder, "192.0.2.1", lambda uid: None)
        self.changed = asyncio.Event()
        self.pods = Pods(self.timers, self._execute, lambda _: self.changed.set())
        self.troubles: list[str] = []
        self.watcher = Watcher(
            self.tools,
            self.pods.machines,
            self.pods.deliver,
            self.troubles.append,
            lambda: True,
        )
        self.executor = Executor(self.tools, self.writer, self.pods.deliver, self.watcher.take)
        self._task: asyncio.Task[None] | None = None

    def _execute(self, machine, instruction):
        self.executor.execute(machine, instruction)

    async def __aenter__(self):
        self.timers.run_on_loop()
        self._task = asyncio.create_task(self.watcher.run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.executor.stop()
        await self.writer.stop()
        self.timers.stop()

    def status(self, uid: str = "uid-1") -> core.PodStatus:
        return status.build(self.pods.machines[uid], "192.0.2.1", self.timers.now())

    def container(self, uid: str = "uid-1"):
        return self.status(uid).containerStatuses[0]

    async def until(self, check, what: str):
        deadline = self.timers.now() + 5
        while not (found := check()):
            assert self.timers.now() < deadline, f"not {what} after 5 s"
            await asyncio.sleep(0.005)
        return found
