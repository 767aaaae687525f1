"""The network: everything between two processes goes through it, raft messages as bytes.

A link is one way. What goes over it is delayed, and may be lost, doubled or overtaken; a link
that is cut loses everything. Clients have links too. The transport of a member hears what a real
one would: that messages were dropped, that a peer's process is gone, how a snapshot's way ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.control.raft.messages import Message
from holdfast.control.raft.shell.seams import Port, SnapshotLostError
from holdfast.control.raft.wire import codec
from tests.sim.whole.world import Host, World

SNAPSHOT_LOST_S = 1.0


@dataclass
class Weather:
    """What the links do. delay_s: least; jitter_s: mean of what comes on top."""

    delay_s: float = 0.0005
    jitter_s: float = 0.001
    loss: float = 0.0
    duplicate: float = 0.0
    overtake: float = 0.0


class Network:
    """All links. Ends are numbers: members have their ids, clients negative ones."""

    def __init__(self, world: World, counts: Counter[str], snapshot_s: float = 0.0) -> None:
        """snapshot_s: how long a snapshot is on its way, whatever its size."""
        self.world = world
        self.snapshot_s = snapshot_s
        self.weather = Weather()
        self.counts = counts
        self.attached: dict[int, SimTransport] = {}
        self._rng = world.streams["network"]
        self._cut: set[tuple[int, int]] = set()  # asked, never walked
        self._last: dict[tuple[int, int], float] = {}

    def cut(self, links: Sequence[tuple[int, int]]) -> None:
        """Cut these one-way links, and no others."""
        self._cut = set(links)

    def is_cut(self, source: int, target: int) -> bool:
        """Nothing gets from one to the other."""
        return (source, target) in self._cut

    def carry(
        self, source: int, target: int, deed: Callable[[], None], *, whole: bool = False
    ) -> bool:
        """Have something happen at the other end, later. whole: on a stream that keeps its order
        and repeats nothing. False: it is lost."""
        rng, weather = self._rng, self.weather
        if (source, target) in self._cut or (weather.loss and rng.random() < weather.loss):
            self.counts["message lost"] += 1
            return False
        arrival = self.world.now + weather.delay_s + rng.expovariate(1 / weather.jitter_s)
        if whole or rng.random() >= weather.overtake:
            arrival = max(arrival, self._last.get((source, target), 0.0) + 1e-6)
            self._last[source, target] = arrival
        else:
            self.counts["message overtakes"] += 1
        self.world.after(arrival - self.world.now, deed)
        if not whole and weather.duplicate and rng.random() < weather.duplicate:
            self.counts["message doubled"] += 1
            self.world.after(arrival - self.world.now + rng.random() * 0.05, deed)
        return True

    def gone(self, member: int) -> None:
        """A member's process ended: who reaches its machine is refused."""
        self.attached.pop(member, None)
        for ident in sorted(self.attached):
            if not self.is_cut(ident, member):
                self.world.after(
                    0.001 + self._rng.random() * 0.01,
                    lambda peer=self.attached[ident]: peer.refused(member),
                )


class SimTransport:
    """A Transport over the network."""

    def __init__(self, network: Network, host: Host, member: int) -> None:
        self._network = network
        self._host = host
        self._member = member
        self.port: Port | None = None
        self.addresses: dict[int, str] = {}

    async def attach(self, port: Port) -> None:
        """See Transport."""
        self.port = port
        self._network.attached[self._member] = self

    async def detach(self) -> None:
        """See Transport."""
        self.port = None
        if self._network.attached.get(self._member) is self:
            del self._network.attached[self._member]

    def peers(self, addresses: Mapping[int, str]) -> None:
        """See Transport."""
        self.addresses = dict(addresses)

    def send(self, messages: Sequence[Message]) -> None:
        """See Transport."""
        network, dropped = self._network, {}
        for message in messages:
            data, target = codec.encode([message]), message.to
            if not network.carry(self._member, target, lambda d=data, t=target: self._arrive(t, d)):
                dropped[target] = None
        for target in dropped:
            if network.is_cut(self._member, target):
                self._host.loop.call_later(0.05, self._unreachable, target)

    def _arrive(self, target: int, data: bytes) -> None:
        peer = self._network.attached.get(target)
        if peer is not None and peer.port is not None:
            self._network.counts["message delivered"] += 1
            (message,) = codec.decode(data)
            self._network.world.note(
                f"{self._member}>{target} {message.type} {message.term} {message.index}"
            )
            if peer._host.paused:
                peer._host.loop.call_soon(peer._receive, message)
            else:
                peer._receive(message)

    def _receive(self, message: Message) -> None:
        if self.port is None:
            return
        if self.port.admits(message.sender):
            self.port.receive(message)
        else:
            peer = self._network.attached.get(message.sender)
            if peer is not None:
                self._network.carry(self._member, message.sender, peer.expelled)

    def expelled(self) -> None:
        """The answer to who speaks after it was removed. Called by the network."""
        if self.port is not None:
            self._host.loop.call_soon(self._told_expelled)

    def _told_expelled(self) -> None:
        if self.port is not None:
            self.port.expelled()

    def _unreachable(self, member: int) -> None:
        if self.port is not None:
            self.port.unreachable(member)

    def refused(self, member: int) -> None:
        """This peer's machine answers, its process is gone. Called by the network."""
        if self.port is not None:
            self._host.loop.call_soon(self._told_refused, member)

    def _told_refused(self, member: int) -> None:
        if self.port is not None:
            self.port.refused(member)

    def send_snapshot(self, message: Message) -> None:
        """See Transport. Read here, carried whole, taken there; then the answer comes back."""
        self._network.counts["snapshot sent"] += 1
        self._network.world.spawn(self._host, self._send_snapshot(message))

    async def _send_snapshot(self, message: Message) -> None:
        assert self.port
        port, answered = self.port, self._host.loop.create_future()
        try:
            pieces = [piece async for piece in port.read_snapshot(message)]
        except SnapshotLostError as error:
            self._network.world.note(f"{self._member} snapshot not read: {error}")
            port.snapshot_sent(message.to, False)
            return
        await asyncio.sleep(self._network.snapshot_s)
        data = codec.encode([message])
        back = self._answer(message.to, answered)
        self._network.carry(
            self._member, message.to, lambda: self._arrive_snapshot(message.to, data, pieces, back)
        )
        timer = self._host.loop.call_later(SNAPSHOT_LOST_S, _settle, answered, False)
        done = await answered
        timer.cancel()
        if not done:
            self._network.counts["snapshot lost"] += 1
        if self.port is not None:
            port.snapshot_sent(message.to, done)

    def _answer(self, target: int, answered: object) -> Callable[[bool], None]:
        """What the other end calls to say how it went."""

        def back(done: bool) -> None:
            self._network.carry(
                target,
                self._member,
                lambda: self._host.loop.call_soon(_settle, answered, done) and None,
            )

        return back

    def _arrive_snapshot(
        self, target: int, data: bytes, pieces: list[bytes], back: Callable[[bool], None]
    ) -> None:
        peer = self._network.attached.get(target)
        if peer is not None and peer.port is not None:
            self._network.world.spawn(
                peer._host, peer._take_snapshot(codec.decode(data)[0], pieces, back)
            )

    async def _take_snapshot(
        self, message: Message, pieces: list[bytes], back: Callable[[bool], None]
    ) -> None:
        if self.port is None or not self.port.admits(message.sender):
            back(False)
            return
        self._network.world.note(f"{message.sender}>{self._member} snapshot")
        try:
            await self.port.take_snapshot(message, _pieces(pieces))
        except SnapshotLostError as error:
            self._network.world.note(f"{self._member} snapshot not taken: {error}")
            back(False)
            return
        back(True)


async def _pieces(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _settle(answered: object, done: bool) -> None:
    if not answered.done():  # type: ignore[attr-defined]
        answered.set_result(done)  # type: ignore[attr-defined]
