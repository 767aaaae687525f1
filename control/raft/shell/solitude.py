"""The transport of a member that has no peers and expects none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.control.raft.messages import Message
from holdfast.control.raft.shell.seams import Port


class Solitude:
    """A Transport that drops everything, as a network that leads nowhere would."""

    async def attach(self, port: Port) -> None:
        """See Transport."""
        self._port = port

    async def detach(self) -> None:
        """See Transport."""

    def peers(self, addresses: Mapping[int, str]) -> None:
        """See Transport."""

    def send(self, messages: Sequence[Message]) -> None:
        """See Transport."""

    def send_snapshot(self, message: Message) -> None:
        """See Transport."""
        self._port.snapshot_sent(message.to, done=False)
