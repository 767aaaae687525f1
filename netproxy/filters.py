"""The seam between what is forwarded and how: one interface, one implementation a packet filter.

The agent holds one `PacketFilter`. `apply` is called with the whole of what is wanted, each time;
the implementation finds out what differs. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from holdfast.netproxy.forwarding import Forwarding


class FilterError(Exception):
    """The kernel, or the tool that talks to it, refused. The message says what and why."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one `apply` did: how many chains (or sets) it wrote and deleted."""

    written: int = 0
    deleted: int = 0


class PacketFilter(Protocol):
    """Rules in a kernel. Calls never overlap: their caller waits for one before the next."""

    async def apply(self, wanted: Forwarding) -> Applied:
        """Make the rules equal to what is wanted, in one atomic step a table.

        Raises FilterError; then nothing is known of the rules, and the next call looks first.
        """

    def forget(self) -> None:
        """Look at the rules really there before the next step: somebody may have changed them."""

    async def remove(self) -> None:
        """Take away every rule of ours, and no other. Raises FilterError."""
