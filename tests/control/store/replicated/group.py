"""A group of members in one process: real stores, a wire that carries bytes and can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from unittest.mock import patch

from holdfast.control.raft.messages import Message
from holdfast.control.raft.shell.seams import Pace, Port, SnapshotLostError
from holdfast.control.raft.wire import codec
from holdfast.control.store.commands import ANY, Commit, Key, Result, Write
from holdfast.control.store.disk import Disk, FileDisk
from holdfast.control.store.engine import StoreError
from holdfast.control.store.raft_engine import Options, RaftEngine
from holdfast.control.store.replicated import members
from holdfast.control.store.replicated.writer import Keep
from tests.control.store.conformance import Told

PACE = Pace(tick_s=0.01, election_ticks=10, heartbeat_ticks=2, rejoin_s=0.02)
WITHIN_S = 10.0


class Wires:
    """Who is attached, and which members hear nobody."""

    def __init__(self) -> None:
        self.ports: dict[int, Port] = {}
        self.cut: list[int] = []

    def port(self, sender: int, to: int) -> Port | None:
        return None if sender in self.cut or to in self.cut else self.ports.get(to)


class Wire:
    """A Transport."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._port: Port | None = None
        self.known: Mapping[int, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def attach(self, port: Port) -> None:
        self._port = self._wires.ports[port.member] = port

    async def detach(self) -> None:
        if self._port:
            self._wires.ports.pop(self._port.member, None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def peers(self, addresses: Mapping[int, str]) -> None:
        self.known = addresses

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            data = codec.encode([message])
            asyncio.get_running_loop().call_soon(self._arrive, message.to, data)

    def _arrive(self, to: int, data: bytes) -> None:
        assert self._port
        port = self._wires.port(self._port.member, to)
        if port is not None and port.admits(self._port.member):
            for message in codec.decode(data):
                port.receive(message)

    def send_snapshot(self, message: Message) -> None:
        self._tasks.append(asyncio.create_task(self._send_snapshot(message)))

    async def _send_snapshot(self, message: Message) -> None:
        assert self._port
        port, done = self._wires.port(self._port.member, message.to), False
        pieces = self._port.read_snapshot(message)
        try:
            if port is not None:
                await port.take_snapshot(message, self._pieces(message.to, pieces))
                done = True
        except SnapshotLostError:
            done = False
        self._port.snapshot_sent(message.to, done)

    async def _pieces(self, to: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        assert self._port
        async for piece in pieces:
            if self._wires.port(self._port.member, to) is None:
                raise SnapshotLostError("cut")
            yield piece


class Group:
    """Members by id."""

    def __init__(
        self, path: Path, keep: Keep | None = None, disk: Callable[[Path], Disk] = FileDisk
    ) -> None:
        self.wires = Wires()
        self.engines: dict[int, RaftEngine] = {}
        self.told: dict[int, Told] = {}
        self._path = path
        self._keep = keep or Keep()
        self._disk = disk

    async def start(self, member: int, voters: tuple[int, ...] | None = None) -> RaftEngine:
        """Start a member; voters: of a new group, () = it joins."""
        options = Options(member, voters, PACE, self._keep)
        engine = RaftEngine(
            self._disk(self._path / str(member)),
            Random(member).randrange,
            cluster_id="test",
            options=options,
            transport=Wire(self.wires),
        )
        self.told[member] = Told()
        engine.listen(self.told[member])
        self.engines[member] = engine
        self.made(member, engine)
        await engine.start()
        return engine

    def made(self, member: int, engine: RaftEngine) -> None:
        """An engine is about to be started."""

    async def found(self, *members: int) -> None:
        for member in members:
            await self.start(member, members)

    async def stop(self) -> None:
        """Stop all; the last of them does not wait for somebody to hand over to."""
        with patch.object(members, "HAND_OVER_S", 0.05):
            for engine in self.engines.values():
                await engine.stop()

    async def leader(self, *but: int) -> RaftEngine:
        """Who leads, not one of some; waits for it."""
        return await within(lambda: next(
            (e for m, e in self.engines.items() if m not in but and leads(e)), None
        ))  # fmt: skip

    async def level(self, *members: int) -> None:
        """Wait until members hold the same state."""
        chosen = [self.engines[m] for m in members or self.engines]
        await within(lambda: len({(e.revision, str(e.rows("pods"))) for e in chosen}) == 1)


def leads(engine: RaftEngine) -> bool:
    try:
        return engine.view.leads
    except StoreError:
        return False


async def within(look):  # type: ignore[no-untyped-def]
    """Look until it is true, a bounded time."""
    async with asyncio.timeout(WITHIN_S):
        while not (found := look()):  # noqa: ASYNC110 - what is looked at sets no event
            await asyncio.sleep(0.005)
    return found


async def put(engine: RaftEngine, *names: str, value: bytes = b"v") -> Result:
    return await engine.commit(
        Commit(b"", [Write(Key("pods", "", name), value, ANY) for name in names])
    )
