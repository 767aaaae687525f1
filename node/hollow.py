"""Hollow nodes: thousands of nodes in one process, real in everything but their containers.

Each has its own identity, session, watch, Node object and writes; connections are shared. The
pods run through the same machines as on a real node, on a `HollowMachine`; all nodes share one
heap of deadlines, so that a pod costs no task and no timer of the event loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.api.client import Client
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2
from holdfast.node.machine import events, instructions
from holdfast.node.machine.instructions import Instruction
from holdfast.node.machine.pod import PodMachine
from holdfast.node.pods import Pods
from holdfast.node.streams import dial
from holdfast.node.timers import Timers
from holdfast.node.uplink.link import Moments, Uplink
from holdfast.node.uplink.node_object import NodeFacts
from holdfast.node.uplink.recorder import Recorder
from holdfast.node.uplink.writer import Writer
from holdfast.runtime.hollow import SIGTERMED, HollowMachine, Timings, addresses
from holdfast.runtime.interface import ContainerSpec, SandboxSpec

FIRST_ADDRESS = 0x64400000  # 100.64.0.0, the shared address space of RFC 6598
ADDRESSES_A_NODE = 1024
CONNECTING_MAX = 16
PROBE_S = 0.001

Connect = Callable[[int, str], Awaitable[Client]]


async def _refuse(_ticket: sessions_pb2.Ticket, _stream: object) -> None:
    message = "a hollow node's containers have no logs and run no commands"
    raise ApiError(Reason.NOT_BUILT, message)


class HollowNode:
    """One hollow node. `uplink.run` is its life."""

    def __init__(
        self,
        client: Client,
        facts: NodeFacts,
        machine: HollowMachine,
        timers: Timers,
        timings: Timings,
        rng: random.Random,
        moments: Moments,
    ) -> None:
        self.machine = machine
        self._client = client
        self._streams: set[asyncio.Task[None]] = set()
        self._timers = timers
        self._timings = timings
        self._rng = rng
        self._do: dict[type, Callable[..., None]] = {
            instructions.MountVolumes: self._mount,
            instructions.RunSandbox: self._run_sandbox,
            instructions.EnsureImage: self._ensure_image,
            instructions.StartContainer: self._start,
            instructions.StopContainer: self._stop,
            instructions.RunProbe: self._probe,
            instructions.CleanPod: self._clean,
            instructions.StopSandbox: self._stop_sandbox,
            instructions.RemoveSandbox: self._remove_sandbox,
            instructions.RemoveContainer: self._remove_container,
            instructions.DeletePod: self._delete,
            instructions.Record: self._record,
        }
        self.writer = Writer(timers, Recorder(facts.name), facts.internal_ip, self._gone)
        self.pods = Pods(timers, self._execute, self.writer.changed)
        self.uplink = Uplink(client, facts, timers, self.writer, self.pods, self._ticket, moments)

    def _gone(self, uid: str) -> None:
        self.pods.remove(uid)

    def _ticket(self, ticket: sessions_pb2.Ticket) -> None:
        task = asyncio.get_running_loop().create_task(dial.serve(self._client, ticket, _refuse))
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    def _execute(self, machine: PodMachine, instruction: Instruction) -> None:
        self._do[type(instruction)](machine, instruction)

    def _later(self, mean_s: float, call: Callable[..., None], *args: Any) -> None:
        delay_s = self._timings.draw(mean_s, self._rng)
        self._timers.at(self._timers.now() + delay_s, call, *args)

    def _mount(self, machine: PodMachine, _: instructions.MountVolumes) -> None:
        self._later(0.0, self.pods.deliver, machine.uid, events.VolumesReady())

    def _run_sandbox(self, machine: PodMachine, order: instructions.RunSandbox) -> None:
        self._later(self._timings.sandbox_s, self._sandbox_made, machine, order.attempt)

    def _sandbox_made(self, machine: PodMachine, attempt: int) -> None:
        spec, meta = machine.pod.spec, machine.pod.metadata
        sandbox = self.machine.add_sandbox(
            SandboxSpec(
                meta.name, meta.namespace, meta.uid, attempt, host_network=spec.hostNetwork
            ),
            self._timers.now(),
        )
        self.pods.deliver(machine.uid, events.SandboxStarted(attempt, sandbox.id, sandbox.ip))

    def _ensure_image(self, machine: PodMachine, order: instructions.EnsureImage) -> None:
        container = order.container
        message = f'Container image "{container.image}" already present on machine'
        event = events.ImageReady(container.name, message, False)
        self._later(0.0, self.pods.deliver, machine.uid, event)

    def _start(self, machine: PodMachine, order: instructions.StartContainer) -> None:
        mean_s = self._timings.create_s + self._timings.start_s
        self._later(mean_s, self._started, machine, order)

    def _started(self, machine: PodMachine, order: instructions.StartContainer) -> None:
        container, now = order.container, self._timers.now()
        spec = ContainerSpec(container.name, order.attempt, container.image)
        container_id = self.machine.create(order.sandbox_id, spec, now)
        self.machine.start(container_id, now)
        image_ref = self.machine.container(container_id).image_ref
        event = events.ContainerStarted(container.name, order.attempt, container_id, image_ref, now)
        self.pods.deliver(machine.uid, event)
        if order.init:
            self._exit(machine, container.name, container_id, 0)

    def _stop(self, machine: PodMachine, order: instructions.StopContainer) -> None:
        mean_s = self._timings.stop_s if order.grace_s else 0.0
        self._later(mean_s, self._exit, machine, order.container, order.id, SIGTERMED)

    def _exit(self, machine: PodMachine, name: str, container_id: str, exit_code: int) -> None:
        now = self._timers.now()
        if not self.machine.exit(container_id, exit_code, now):
            return
        ended = self.machine.container(container_id)
        self.pods.deliver(
            machine.uid,
            events.ContainerExited(
                name, container_id, exit_code, ended.reason, "", ended.started_at, now
            ),
        )

    def _probe(self, machine: PodMachine, order: instructions.RunProbe) -> None:
        event = events.ProbeFinished(order.container, order.id, order.kind, True, "")
        self._later(PROBE_S, self.pods.deliver, machine.uid, event)

    def _clean(self, machine: PodMachine, _: instructions.CleanPod) -> None:
        self._later(self._timings.stop_s, self._cleaned, machine)

    def _cleaned(self, machine: PodMachine) -> None:
        self.machine.remove_sandbox(machine.sandbox_id, self._timers.now())
        self.pods.deliver(machine.uid, events.PodCleaned())

    def _stop_sandbox(self, _: PodMachine, order: instructions.StopSandbox) -> None:
        self.machine.stop_sandbox(order.id, self._timers.now())

    def _remove_sandbox(self, _: PodMachine, order: instructions.RemoveSandbox) -> None:
        self.machine.remove_sandbox(order.id, self._timers.now())

    def _remove_container(self, _: PodMachine, order: instructions.RemoveContainer) -> None:
        self.machine.remove(order.id)

    def _delete(self, machine: PodMachine, _: instructions.DeletePod) -> None:
        self.writer.delete(machine)

    def _record(self, machine: PodMachine, news: instructions.Record) -> None:
        self.writer.record(machine, news)


def facts(number: int, name: str, capacity: dict[str, str], version: str) -> NodeFacts:
    """What the hollow node of a number (from 0) is. capacity: resource name → quantity text."""
    first = FIRST_ADDRESS + number * ADDRESSES_A_NODE
    return NodeFacts(
        name=name,
        internal_ip=next(addresses(first)),
        capacity=capacity,
        allocatable=capacity,
        labels={"node.kubernetes.io/instance-type": "hollow"},
        os_image="hollow",
        runtime_version=f"hollow://{version}",
        agent_version=version,
    )


class HollowFleet:
    """Many hollow nodes on one heap of deadlines. `run` it as a task."""

    def __init__(
        self,
        connect: Connect,
        capacity: dict[str, str],
        version: str,
        timings: Timings,
        rng: random.Random,
    ) -> None:
        """connect: gives the client of a node by its number and name; it may wait."""
        self.nodes: list[HollowNode] = []
        self._connect = connect
        self._capacity = capacity
        self._version = version
        self._timings = timings
        self._rng = rng
        self._moments: list[Moments] = []

    def registered(self, count: int) -> list[asyncio.Event]:
        """An event a node, set once the cluster knows it. Ask before `run`."""
        self._moments = [Moments() for _ in range(count)]
        return [moments.registered for moments in self._moments]

    async def run(self, names: list[str], timers: Timers) -> None:
        """Connect and live, all of them, until cancelled."""
        timers.run_on_loop()
        if not self._moments:
            self.registered(len(names))
        gate = asyncio.Semaphore(CONNECTING_MAX)
        try:
            async with asyncio.TaskGroup() as group:
                for number, name in enumerate(names):
                    group.create_task(self._live(number, name, timers, gate))
        finally:
            timers.stop()
            await asyncio.gather(*(node.writer.stop() for node in self.nodes))

    async def _live(self, number: int, name: str, timers: Timers, gate: asyncio.Semaphore) -> None:
        async with gate:
            client = await self._connect(number, name)
        about = facts(number, name, self._capacity, self._version)
        pod_addresses = addresses(FIRST_ADDRESS + number * ADDRESSES_A_NODE + 1)
        machine = HollowMachine(self._rng, pod_addresses)
        moments = self._moments[number]
        moments.stock_taken.set()  # nothing ran before
        node = HollowNode(client, about, machine, timers, self._timings, self._rng, moments)
        self.nodes.append(node)
        await node.uplink.run()
