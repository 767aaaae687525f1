"""The node agent: joins machines, executor, watcher and uplink on one real node.

Order that must hold at the start: take stock of what runs here, and only then be told pods; so a
pod that runs already is adopted and never started twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from holdfast.api.client import Client, Event, EventType, Reflector
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.node.agent import host, network, rotation
from holdfast.node.agent.executor import Executor
from holdfast.node.agent.tools import Owner, Tools
from holdfast.node.agent.watcher import Watcher
from holdfast.node.machine import adoption
from holdfast.node.machine.instructions import Record
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Course
from holdfast.node.pods import Pods
from holdfast.node.streams.dial import Dialler
from holdfast.node.timers import Timers
from holdfast.node.uplink.link import Moments, Uplink
from holdfast.node.uplink.node_object import NodeFacts
from holdfast.node.uplink.recorder import Recorder
from holdfast.node.uplink.writer import Writer
from holdfast.node.volumes import mounting
from holdfast.node.volumes.files import VolumeError
from holdfast.runtime.interface import Container, ContainerState, RuntimeFault, Sandbox

HEALTH_EVERY_S = 10.0
REFRESH_EVERY_S = 60.0
STOCK_AGAIN_S = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Network:
    """How pods are connected. directory: containerd's CNI configuration directory."""

    directory: Path
    bridge: str
    state: Path


class NodeAgent:
    """One real node. `run` with a client; it may be run again with another one."""

    def __init__(
        self,
        tools: Tools,
        facts: NodeFacts,
        network_plan: Network | None,
        timers: Timers,
        images: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """network_plan: None = pods' network is configured by somebody else. images: imports
        those that ship with Holdfast into the runtime."""
        self._tools = tools
        self._facts = facts
        self._network = network_plan
        self._timers = timers
        self._images = images
        self.moments = Moments()
        self._recorder = Recorder(facts.name)
        self._stock: dict[str, tuple[list[Sandbox], list[Container]]] = {}
        self._trouble = "container runtime was not reached yet"
        self._disk_trouble = ""
        self.writer = Writer(timers, self._recorder, facts.internal_ip, self._gone)
        self.pods = Pods(timers, self._execute, self.writer.changed, self._make)
        self.watcher = Watcher(
            tools, self.pods.machines, self.pods.deliver, self._runtime_trouble, self._settled
        )
        self.executor = Executor(tools, self.writer, self.pods.deliver, self.watcher.take)
        self.uplink: Uplink | None = None

    async def run(self) -> None:
        """What goes on whether or not a control node is reached. Cancel it to stop: containers
        run on."""
        self._timers.run_on_loop()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_stock())
                group.create_task(self._every(HEALTH_EVERY_S, self._look_at_disk))
                group.create_task(self._every(REFRESH_EVERY_S, self._refresh_volumes))
                group.create_task(self._every(rotation.EVERY_S, self._rotate_logs))
        finally:
            self._timers.stop()
            await self.executor.stop()
            await self.writer.stop()

    async def serve(self, client: Client) -> None:
        """Hold the uplink over one client, until cancelled."""
        self._tools.objects.client = client
        dialler = Dialler(client, self._tools, self.pods.machines)
        self.uplink = Uplink(
            client,
            self._facts,
            self._timers,
            self.writer,
            self.pods,
            dialler.answer,
            self.moments,
        )
        self._observe()
        own_node = Reflector(
            client,
            "nodes",
            fields=f"metadata.name={self._facts.name}",
            on_batch=self._on_node,
            latest_only=True,
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.uplink.run())
                group.create_task(own_node.run())
        finally:
            self.uplink = None
            await dialler.stop()

    def _execute(self, machine: PodMachine, instruction: object) -> None:
        self.executor.execute(machine, instruction)  # type: ignore[arg-type]  # made later

    def _gone(self, uid: str) -> None:
        self.pods.remove(uid)

    def _make(self, pod: core.Pod, now: float) -> PodMachine:
        """A machine for a pod that is told for the first time: adopted when it runs here."""
        sandboxes, containers = self._stock.pop(pod.metadata.uid, ([], []))
        return adoption.adopt(pod, sandboxes, containers, now)

    async def _take_stock(self) -> None:
        """Learn what runs here, then follow the runtime for ever."""
        taken = self.moments.stock_taken
        while not taken.is_set():
            try:
                await self._list_runtime()
                if self._images is not None:
                    await self._images()
                taken.set()
            except RuntimeFault as fault:
                self._runtime_trouble(f"container runtime is down: {fault.message}")
            except (RuntimeError, OSError, ValueError) as error:
                self._runtime_trouble(f"images that pods need are not there: {error}")
            if not taken.is_set():
                await asyncio.sleep(STOCK_AGAIN_S)
        await self.watcher.run()

    async def _list_runtime(self) -> None:
        runtime, owners = self._tools.runtime, self._tools.owners
        stock: dict[str, tuple[list[Sandbox], list[Container]]] = {}
        uids = {}
        for sandbox in await runtime.list_sandboxes():
            whole = await runtime.sandbox_status(sandbox.id) if sandbox.ready else sandbox
            stock.setdefault(sandbox.uid, ([], []))[0].append(whole)
            uids[sandbox.id] = sandbox.uid
            owners.add(sandbox.id, Owner(sandbox.uid, ""))
        for found in await runtime.list_containers():
            uid = uids.get(found.sandbox_id)
            if uid is None:
                continue
            if found.state is not ContainerState.CREATED:
                status = await runtime.container_status(found.id)
                found = status._replace(sandbox_id=found.sandbox_id)
            stock[uid][1].append(found)
            owners.add(found.id, Owner(uid, found.name))
        self._stock = stock

    def _settled(self) -> bool:
        """Every pod of this node is known: what the runtime has beside them belongs to none."""
        return self.uplink is not None and self.uplink.watch.synced.is_set()

    def _runtime_trouble(self, why: str) -> None:
        self._trouble = why
        self._observe()

    def _observe(self) -> None:
        if self.uplink is not None:
            self.uplink.observe(self._trouble, self._disk_trouble)

    async def _every(self, seconds: float, call: Callable[[], object]) -> None:
        while True:
            result = call()
            if asyncio.iscoroutine(result):
                await result
            await asyncio.sleep(seconds)

    def _look_at_disk(self) -> None:
        before = self._disk_trouble
        self._disk_trouble = host.disk_trouble(self._tools.place.data)
        if self._disk_trouble and not before:
            self.writer.record_about(
                core.ObjectReference(kind="Node", apiVersion="v1", name=self._facts.name),
                Record("Warning", "NodeHasDiskPressure", self._disk_trouble),
            )
        self._observe()

    async def _refresh_volumes(self) -> None:
        for machine in list(self.pods.machines.values()):
            if machine.course is not Course.LIVE or not machine.volumes_ready:
                continue
            directory = self._tools.place.pod_directory(machine.uid)
            try:
                await mounting.refresh(machine.pod, directory, self._tools.objects)
            except (VolumeError, ApiError, OSError) as error:
                log.warning("volumes not refreshed", pod=machine.pod.metadata.name, why=str(error))

    async def _rotate_logs(self) -> None:
        machines = list(self.pods.machines.values())
        await rotation.rotate_all(self._tools.runtime, self._tools.place, machines)

    def _on_node(self, batch: list[Event]) -> None:
        for event in batch:
            if event.type is not EventType.DELETED and self._network is not None:
                self._configure_network(event.object.spec.podCIDR)

    def _configure_network(self, pod_cidr: str) -> None:
        assert self._network is not None
        if not pod_cidr:
            return
        plan = self._network
        text = network.configuration(pod_cidr, plan.bridge, plan.state)
        if network.write(plan.directory, text):
            log.info("pod network configured", pod_cidr=pod_cidr)
