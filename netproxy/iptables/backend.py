"""The packet filter over iptables: what the rules are, what they should be, one transaction.

The rules last written are remembered, so that a step compares and writes only what differs; after
a failure, at the start and whenever `forget` was called the kernel is asked first. Rules that
somebody flushed or changed are thus put right by the next step, and rules that an earlier run
left are taken over without a gap.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from holdfast.netproxy.filters import Applied
from holdfast.netproxy.forwarding import Forwarding
from holdfast.netproxy.iptables import chains, text
from holdfast.netproxy.iptables.difference import difference
from holdfast.netproxy.iptables.rules import TABLES, Table, Tables


class Tool(Protocol):
    """iptables itself, real or fake."""

    async def save(self, table: str) -> str:
        """What `iptables-save -t TABLE` prints. Raises FilterError."""

    async def restore(self, transaction: str) -> None:
        """What `iptables-restore --noflush` does with this input. Raises FilterError."""


class IptablesFilter:
    """A `PacketFilter`. Calls must not overlap."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._present: Tables | None = None

    async def apply(self, wanted: Forwarding) -> Applied:
        """Make the rules equal to what is wanted; nothing is run when they are."""
        # In a thread: thousands of new services take a while, and DNS answers meanwhile.
        return await self._move_to(await asyncio.to_thread(chains.wanted, wanted))

    def forget(self) -> None:
        """Ask the kernel before the next step."""
        self._present = None

    async def remove(self) -> None:
        """Take every chain and jump of ours away."""
        self.forget()
        await self._move_to({table: Table() for table in TABLES})

    async def _move_to(self, wanted: Tables) -> Applied:
        present = self._present or await self._look()
        changes = difference(present, wanted)
        # Unknown until the tool has answered: a failure leaves it so.
        self._present = None
        if changes:
            await self._tool.restore(text.transaction(changes))
        self._present = wanted
        return Applied(
            sum(len(change.write) for change in changes),
            sum(len(change.delete) for change in changes),
        )

    async def _look(self) -> Tables:
        saved = {table: await self._tool.save(table) for table in TABLES}
        return {
            table: await asyncio.to_thread(text.present, saved[table], table) for table in TABLES
        }
