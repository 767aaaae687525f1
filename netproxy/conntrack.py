"""Connections that conntrack remembers and must forget.

UDP has no end that a reset could tell: a client that goes on sending keeps being led to a target
that is gone, or past a service that has targets only now. So such entries are deleted after the
rules changed. TCP clients notice by themselves, as with kube-proxy. `stale` is pure, `forget`
runs `conntrack -D`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from holdfast.netproxy.forwarding import Protocol, ServicePort

FORGET_MAX = 256
"""Flows forgotten one by one; beyond it all of UDP to the service range is, in one command."""

RUN_TIMEOUT_S = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Flow:
    """UDP entries to forget. address: of the service, "" for a node port. target: "" = any."""

    address: str
    port: int
    target: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """The arguments of conntrack(8)."""
        words = ["conntrack", "-D", "-p", "udp", "--orig-port-dst", str(self.port)]
        words += ["--orig-dst", self.address] if self.address else []
        words += ["--dst-nat", self.target] if self.target else []
        return tuple(words)


def stale(before: Iterable[ServicePort], after: Iterable[ServicePort]) -> list[Flow]:
    """What to forget when the rules went from `before` to `after`.

    A target that left: the flows to it. A port that got its first target: the flows that went
    past it, untranslated.
    """
    now = {(port.address, port.port): port for port in after if port.protocol is Protocol.UDP}
    was = {(port.address, port.port): port for port in before if port.protocol is Protocol.UDP}
    flows: list[Flow] = []
    for key, old in was.items():
        new = now.get(key)
        kept = {target.address for target in new.targets} if new else set()
        for target in old.targets:
            if target.address not in kept:
                flows += _flows(old, target.address)
    for key, new in now.items():
        old_port = was.get(key)
        if new.targets and not (old_port and old_port.targets):
            flows += _flows(new, "")
    return list(dict.fromkeys(flows))


def _flows(port: ServicePort, target: str) -> list[Flow]:
    flows = [Flow(port.address, port.port, target)]
    if port.node_port:
        flows.append(Flow("", port.node_port, target))
    return flows


async def forget(flows: list[Flow], service_cidr: str) -> None:
    """Delete the entries; none there is no error. Without conntrack(8) it is logged, and they
    time out by themselves (30 s idle, 120 s for those that talked both ways)."""
    commands = [flow.command for flow in flows]
    if len(flows) > FORGET_MAX:
        log.info("many udp flows are stale, all are forgotten", flows=len(flows))
        commands = [("conntrack", "-D", "-p", "udp", "--orig-dst", service_cidr)]
        commands += [flow.command for flow in flows if not flow.address][:FORGET_MAX]
    for command in commands:
        try:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                await _run(command)
        except (OSError, TimeoutError) as error:
            log.warning("stale udp flows stay until they time out", why=str(error) or "timeout")
            return


async def _run(command: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
