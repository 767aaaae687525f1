"""The program: `run` works until it is cancelled, `cleanup` takes away what it left in the kernel.

Called by `holdfast netproxy` (see `__main__`).
"""

from __future__ import annotations

import asyncio

from holdfast.api import ready
from holdfast.api.errors import ApiError, Reason
from holdfast.netproxy.agent import Agent
from holdfast.netproxy.config import NetproxyConfig, checked
from holdfast.netproxy.filters import FilterError
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.kernel import KernelTool
from holdfast.netproxy.routes import kernel

__all__ = ["NetproxyConfig", "cleanup", "run"]


async def run(config: NetproxyConfig) -> None:
    """Serve this machine until cancelled. Rules, routes and the DNS address stay afterwards.

    Raises ApiError naming the setting that is wrong.
    """
    agent = Agent(checked(config), IptablesFilter(KernelTool()))
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.run())
        await agent.ready.wait()
        ready.announce()


async def cleanup(config: NetproxyConfig) -> None:
    """Remove every chain, rule, route and address of ours from this machine, and nothing else.

    Nothing there is no error. Raises ApiError with the kernel's words.
    """
    try:
        await IptablesFilter(KernelTool()).remove()
        await kernel.remove(checked(config).dns_address)
    except (FilterError, OSError) as error:
        raise ApiError(Reason.INTERNAL, f"rules or routes were not removed: {error}") from None
