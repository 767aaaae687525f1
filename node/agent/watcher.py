"""Turn what happens in the runtime into the machines' events.

Driven by the runtime's own events; a slow look-over is the safety net for what they missed (the
runtime was away, an event was dropped), and it runs at once when the stream of events was broken.
Order that must hold: subscribe first, then look over, or what happens in between is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from holdfast.node.agent import containers, sandboxes
from holdfast.node.agent.tools import Owner, Tools
from holdfast.node.machine import events
from holdfast.node.machine.containers import Stage
from holdfast.node.machine.events import Event
from holdfast.node.machine.pod import PodMachine
from holdfast.node.machine.state import Shell
from holdfast.runtime.interface import (
    ContainerState,
    EventKind,
    RuntimeEvent,
    RuntimeFault,
)

LOOK_OVER_S = 60.0
AGAIN_S = 0.5
SUBSCRIBED_S = 0.05
"""containerd acknowledges a subscription with nothing: it stands after this long."""
_SIGKILLED = 137

log = structlog.get_logger()


class Watcher:
    """Follows one runtime.

    trouble: told "" when the runtime answers, else why it does not. settled: whether every pod of
    this node is known, so that what belongs to none may be removed.
    """

    def __init__(
        self,
        tools: Tools,
        machines: Mapping[str, PodMachine],
        deliver: Callable[[str, Event], None],
        trouble: Callable[[str], None],
        settled: Callable[[], bool],
    ) -> None:
        self._tools = tools
        self._machines = machines
        self._deliver = deliver
        self._trouble = trouble
        self._settled = settled
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever: follow the events, look over, begin again when the runtime went away."""
        while True:
            try:
                await self._follow()
            except RuntimeFault as fault:
                self._trouble(f"container runtime is down: {fault.message}")
                log.warning("runtime is away", why=fault.message)
            await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        await self._tools.runtime.version()
        stream = self._tools.runtime.events()
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look_over_forever())
            try:
                async for event in stream:
                    self.take(event)
            except RuntimeFault as fault:
                looking.cancel()
                ended = fault
            else:
                looking.cancel()
                return
        raise ended

    def take(self, event: RuntimeEvent) -> None:
        """One event of the runtime."""
        if not self._tools.owners.held(event):
            self._tell(event)

    def _tell(self, event: RuntimeEvent) -> None:
        owner = self._tools.owners.get(event.id)
        if owner is None or event.kind is not EventKind.EXITED:
            return
        if not owner.container:
            self._deliver(owner.uid, events.SandboxExited(event.id))
        elif event.exit_code == _SIGKILLED:
            # Only the runtime's record knows whether it was killed for its memory.
            self._ask_soon(event.id, owner)
        else:
            reason = "Completed" if event.exit_code == 0 else "Error"
            self._deliver(
                owner.uid,
                events.ContainerExited(
                    owner.container, event.id, event.exit_code, reason, "", 0.0, event.at
                ),
            )

    def _ask_soon(self, container_id: str, owner: Owner) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(container_id, owner))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, container_id: str, owner: Owner) -> None:
        event = await containers.how_it_ended(self._tools.runtime, owner.container, container_id)
        if not isinstance(event, events.StopFailed):
            self._deliver(owner.uid, event)

    async def _look_over_forever(self) -> None:
        await asyncio.sleep(SUBSCRIBED_S)
        while True:
            try:
                await self.look_over()
                self._trouble("")
            except (RuntimeFault, OSError) as error:
                log.warning("could not look over the runtime", why=str(error))
            await asyncio.sleep(LOOK_OVER_S)

    async def look_over(self) -> None:
        """Compare what runs with what the machines believe. Raises RuntimeFault."""
        runtime = self._tools.runtime
        running = {
            found.id: found.state is ContainerState.RUNNING
            for found in await runtime.list_containers()
        }
        known = {found.id: found for found in await runtime.list_sandboxes()}
        for machine in list(self._machines.values()):
            sandbox = known.get(machine.sandbox_id)
            if machine.shell is Shell.READY and (sandbox is None or not sandbox.ready):
                self._deliver(machine.uid, events.SandboxExited(machine.sandbox_id))
            for record in list(machine.records()):
                if record.stage is Stage.RUNNING and not running.get(record.id, False):
                    await self._ask(record.id, Owner(machine.uid, record.name))
        if self._settled():
            found = {sandbox.uid for sandbox in known.values()}
            found |= await asyncio.to_thread(sandboxes.leftovers, self._tools)
            for uid in found - set(self._machines):
                log.info("removing what belongs to no pod", uid=uid)
                await sandboxes.clean(self._tools, uid)
            await asyncio.to_thread(self._tools.cgroups.sweep, set(self._machines))
