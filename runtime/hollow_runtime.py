"""The hollow runtime as a Runtime: a HollowMachine whose durations are waited out.

The agent's tests run on it, and one conformance suite holds it to what containerd does. `kill`,
`out_of_memory` and `vanish` are what a test does to it from outside.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

from holdfast.runtime.hollow import SIGKILLED, SIGTERMED, HollowMachine, Timings
from holdfast.runtime.hollow import image as hollow_image
from holdfast.runtime.interface import (
    Container,
    ContainerSpec,
    EventKind,
    ExecResult,
    Fault,
    Image,
    Resources,
    RuntimeCondition,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
    Version,
)

EVENTS_WAITING_MAX = 10_000


class HollowRuntime:
    """A Runtime (see `interface`) without containers."""

    def __init__(
        self,
        machine: HollowMachine,
        clock: Callable[[], float],
        timings: Timings,
        rng: random.Random,
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._timings = timings
        self._rng = rng
        self._listeners: list[asyncio.Queue[RuntimeEvent | None]] = []
        self._away = False

    def kill(self, container_id: str, exit_code: int = SIGKILLED, reason: str = "") -> None:
        """A container's process ends by itself."""
        if self._machine.exit(container_id, exit_code, self._clock(), reason):
            self._tell(EventKind.EXITED, container_id, exit_code)

    def out_of_memory(self, container_id: str) -> None:
        """The kernel kills a container for its memory."""
        self._tell(EventKind.OOM, container_id)
        self.kill(container_id, SIGKILLED, "OOMKilled")

    def vanish(self, away: bool) -> None:
        """The runtime stops answering, or answers again; containers run on."""
        self._away = away
        if away:
            for listener in self._listeners:
                listener.put_nowait(None)

    def _tell(self, kind: EventKind, runtime_id: str, exit_code: int = 0) -> None:
        event = RuntimeEvent(kind, runtime_id, self._clock(), exit_code)
        for listener in self._listeners:
            if listener.qsize() < EVENTS_WAITING_MAX:
                listener.put_nowait(event)

    async def _take(self, mean_s: float = 0.0) -> float:
        """Let a call take its time; returns when it is done."""
        if self._away:
            raise RuntimeFault(Fault.UNAVAILABLE, "the hollow runtime is away")
        if mean_s:
            await asyncio.sleep(self._timings.draw(mean_s, self._rng))
        return self._clock()

    async def version(self) -> Version:
        """Who answers."""
        await self._take()
        return Version("hollow", "1")

    async def conditions(self) -> list[RuntimeCondition]:
        """Always well."""
        await self._take()
        return [RuntimeCondition(kind, True, "", "") for kind in ("RuntimeReady", "NetworkReady")]

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Make and start a sandbox."""
        sandbox = self._machine.run_sandbox(spec, await self._take(self._timings.sandbox_s))
        self._tell(EventKind.STARTED, sandbox.id)
        return sandbox.id

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        """One sandbox with its address."""
        await self._take()
        return self._machine.sandbox(sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it."""
        now = await self._take(self._timings.stop_s)
        found = self._machine.sandboxes.get(sandbox_id)
        for container_id in self._machine.stop_sandbox(sandbox_id, now):
            self._tell(EventKind.EXITED, container_id, SIGKILLED)
        if found is not None and found.ready:
            self._tell(EventKind.EXITED, sandbox_id, SIGKILLED)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers."""
        await self.stop_sandbox(sandbox_id)
        self._machine.remove_sandbox(sandbox_id, self._clock())

    async def list_sandboxes(self) -> list[Sandbox]:
        """Every sandbox, without addresses."""
        await self._take()
        return [found._replace(ip="") for found in self._machine.sandboxes.values()]

    async def create_container(
        self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec
    ) -> str:
        """Make a container; returns its id."""
        now = await self._take(self._timings.create_s)
        for found in self._machine.containers.values():
            if (found.sandbox_id, found.name, found.attempt) == (
                sandbox_id,
                spec.name,
                spec.attempt,
            ):
                name = f"{spec.name}_{sandbox.name}"
                raise RuntimeFault(Fault.FAILED, f'container name "{name}" is reserved')
        return self._machine.create(sandbox_id, spec, now)

    async def start_container(self, container_id: str) -> None:
        """Start what was created."""
        self._machine.start(container_id, await self._take(self._timings.start_s))
        self._tell(EventKind.STARTED, container_id)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """End it; with grace it ends by its own handler."""
        now = await self._take(self._timings.stop_s)
        exit_code = SIGTERMED if grace_s else SIGKILLED
        if self._machine.exit(container_id, exit_code, now):
            self._tell(EventKind.EXITED, container_id, exit_code)

    async def remove_container(self, container_id: str) -> None:
        """Remove it, running or not."""
        now = await self._take()
        if self._machine.exit(container_id, SIGKILLED, now):
            self._tell(EventKind.EXITED, container_id, SIGKILLED)
        self._machine.remove(container_id)

    async def container_status(self, container_id: str) -> Container:
        """One container with everything known about it."""
        await self._take()
        return self._machine.container(container_id)

    async def list_containers(self) -> list[Container]:
        """Every container, without times, exit codes and reasons."""
        await self._take()
        return [
            found._replace(started_at=0.0, finished_at=0.0, exit_code=0, reason="")
            for found in self._machine.containers.values()
        ]

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change a running container's limits in place."""
        await self._take()
        self._machine.resize(container_id, resources)

    async def exec_sync(
        self, container_id: str, command: tuple[str, ...], timeout_s: float
    ) -> ExecResult:
        """`true`, `false`, `echo`; `sleep` longer than the time-out is Fault.TIMEOUT."""
        await self._take()
        if command[0] == "sleep" and float(command[1]) > timeout_s:
            raise RuntimeFault(Fault.TIMEOUT, f"command timed out after {timeout_s:g} s")
        return self._machine.exec(container_id, command)

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> str:
        """Nothing streams here."""
        await self._take()
        what = f"{command[0]} in {container_id[:12]} (stdin {stdin}, tty {tty})"
        raise RuntimeFault(Fault.NOT_SUPPORTED, f"hollow containers run no streams: {what}")

    async def reopen_log(self, container_id: str) -> None:
        """There are no logs."""
        await self._take()
        self._machine.container(container_id)

    async def image_status(self, image: str) -> Image | None:
        """The image if it is on the machine."""
        await self._take()
        return hollow_image(image) if self._machine.has_image(image) else None

    async def pull_image(self, image: str) -> str:
        """Fetch an image; returns its reference."""
        await self._take(self._timings.pull_s)
        return self._machine.pull(image)

    async def list_images(self) -> list[Image]:
        """Every image on the machine by name."""
        await self._take()
        return self._machine.images()

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on."""
        await self._take()
        listener: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._listeners.append(listener)
        try:
            while (event := await listener.get()) is not None:
                yield event
        finally:
            self._listeners.remove(listener)
        raise RuntimeFault(Fault.UNAVAILABLE, "the hollow runtime went away")

    async def close(self) -> None:
        """Nothing to let go of."""
