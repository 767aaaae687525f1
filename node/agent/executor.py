"""Carry out a pod machine's instructions on the runtime; answer each with one event.

Each instruction is a task of its own; a gate per kind bounds how many are under way. Whatever goes
wrong becomes the event that says so: an instruction never ends silently, or its pod would wait for
ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from holdfast.api.errors import ApiError
from holdfast.node.agent import containers, probes, sandboxes
from holdfast.node.agent.images import Images
from holdfast.node.agent.tools import Tools
from holdfast.node.machine import events, instructions
from holdfast.node.machine.events import Event
from holdfast.node.machine.instructions import Instruction
from holdfast.node.machine.pod import PodMachine
from holdfast.node.uplink.writer import Writer
from holdfast.node.volumes import mounting
from holdfast.node.volumes.files import VolumeError
from holdfast.runtime.interface import RuntimeEvent, RuntimeFault

SANDBOXES_MAX = 8
STARTS_MAX = 8
STOPS_MAX = 64
PROBES_MAX = 32

log = structlog.get_logger()


class Executor:
    """Performs instructions. deliver: told each event with the pod's uid."""

    def __init__(
        self,
        tools: Tools,
        writer: Writer,
        deliver: Callable[[str, Event], None],
        replay: Callable[[RuntimeEvent], None],
    ) -> None:
        """replay: told the runtime's events that came before a start was told."""
        self._tools = tools
        self._writer = writer
        self._deliver = deliver
        self._replay = replay
        self._images = Images(tools.runtime)
        self._tasks: set[asyncio.Task[None]] = set()
        self._gates: dict[type, asyncio.Semaphore] = {
            instructions.RunSandbox: asyncio.Semaphore(SANDBOXES_MAX),
            instructions.StartContainer: asyncio.Semaphore(STARTS_MAX),
            instructions.StopContainer: asyncio.Semaphore(STOPS_MAX),
            instructions.RunProbe: asyncio.Semaphore(PROBES_MAX),
            instructions.CleanPod: asyncio.Semaphore(SANDBOXES_MAX),
        }
        self._do: dict[type, Callable[..., Coroutine[Any, Any, Event | None]]] = {
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
        }

    def execute(self, machine: PodMachine, instruction: Instruction) -> None:
        """Begin an instruction. Never calls back before it returns."""
        if isinstance(instruction, instructions.Record):
            self._writer.record(machine, instruction)
        elif isinstance(instruction, instructions.DeletePod):
            self._writer.delete(machine)
        else:
            task = asyncio.get_running_loop().create_task(self._perform(machine, instruction))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is under way; what runs in containers runs on."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _perform(self, machine: PodMachine, instruction: Instruction) -> None:
        gate = self._gates.get(type(instruction))
        if gate is None:
            event = await self._do[type(instruction)](machine, instruction)
        else:
            async with gate:
                event = await self._do[type(instruction)](machine, instruction)
        if event is not None:
            self._deliver(machine.uid, event)
            if isinstance(event, events.ContainerStarted):
                for held in self._tools.owners.started(event.id):
                    self._replay(held)

    async def _mount(self, machine: PodMachine, _: instructions.MountVolumes) -> Event:
        pod, directory = machine.pod, self._tools.place.pod_directory(machine.uid)
        try:
            await mounting.mount(pod, directory, self._tools.objects)
        except VolumeError as error:
            return events.VolumesFailed(str(error))
        return events.VolumesReady()

    async def _run_sandbox(self, machine: PodMachine, order: instructions.RunSandbox) -> Event:
        try:
            made = await sandboxes.run(self._tools, machine.pod, order.attempt)
        except RuntimeFault as fault:
            return events.SandboxFailed(order.attempt, fault.message)
        except OSError as error:
            return events.SandboxFailed(order.attempt, str(error))
        return events.SandboxStarted(order.attempt, made.id, made.ip)

    async def _ensure_image(self, machine: PodMachine, order: instructions.EnsureImage) -> Event:
        def pulling(message: str) -> None:
            news = instructions.Record("Normal", "Pulling", message, order.container.name)
            self._writer.record(machine, news)

        return await self._images.ensure(order.container, pulling)

    async def _start(self, machine: PodMachine, order: instructions.StartContainer) -> Event:
        return await containers.start(self._tools, machine.pod, machine.ip, order)

    async def _stop(self, _machine: PodMachine, order: instructions.StopContainer) -> Event:
        runtime = self._tools.runtime
        try:
            await runtime.stop_container(order.id, order.grace_s)
        except RuntimeFault as fault:
            return events.StopFailed(order.container, order.id, fault.message)
        return await containers.how_it_ended(runtime, order.container, order.id)

    async def _probe(self, machine: PodMachine, order: instructions.RunProbe) -> Event | None:
        record = machine.find(order.container)
        if record is None:
            return None
        ip = machine.ip or self._tools.place.host_ip
        runtime = self._tools.runtime
        ok, why = await probes.ask(runtime, order.id, record.spec, order.probe, ip)
        return events.ProbeFinished(order.container, order.id, order.kind, ok, why)

    async def _clean(self, machine: PodMachine, _: instructions.CleanPod) -> Event:
        try:
            await sandboxes.clean(self._tools, machine.uid)
        except (RuntimeFault, OSError) as error:
            return events.CleanFailed(f"error killing pod: {error}")
        return events.PodCleaned()

    async def _stop_sandbox(self, _: PodMachine, order: instructions.StopSandbox) -> None:
        await self._try("stop sandbox", self._tools.runtime.stop_sandbox(order.id))

    async def _remove_sandbox(self, _: PodMachine, order: instructions.RemoveSandbox) -> None:
        await self._try("remove sandbox", sandboxes.remove(self._tools, order.id))

    async def _remove_container(self, _: PodMachine, order: instructions.RemoveContainer) -> None:
        await self._try("remove container", self._tools.runtime.remove_container(order.id))

    async def _try(self, what: str, call: Coroutine[Any, Any, None]) -> None:
        """For what the slow look-over makes good when it fails."""
        try:
            await call
        except (RuntimeFault, ApiError, OSError) as error:
            log.warning("left for later", what=what, why=str(error))
