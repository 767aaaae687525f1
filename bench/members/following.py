"""A client of a group of bare members, as `bench.failover` and `bench.catchup` use it."""

from __future__ import annotations

import asyncio

import grpc

from bench.members import calls, service
from bench.members.processes import Processes
from holdfast.api.transport.channel import Channel
from holdfast.control.store import records
from holdfast.control.store.commands import ANY, Commit, Key, Write

SEARCH_S = 0.02
LEVEL_WITHIN = 200
"""A member is level when it lacks at most so many writes."""


class Following:
    """Follows whoever leads: after a failure every member is asked until one says so.

    A write is tried again until it is acknowledged; what it writes does not depend on what is
    there, so a second time does no harm.
    """

    def __init__(self, group: Processes) -> None:
        self._group = group
        self._context = calls.tls(group)
        self._channels = [Channel(address, self._context) for address in group.addresses]
        self._leader = -1
        self._known = asyncio.Event()  # set when somebody leads, as far as is known; `put` waits
        self._search: asyncio.Task[None] | None = None

    async def put(self, name: str, value: bytes) -> None:
        """One object; returns when it is acknowledged."""
        data = records.encode([Commit(b"", (Write(Key(service.RESOURCE, "", name), value, ANY),))])
        while True:
            await self.leader()
            channel = self._channels[self._leader]
            try:
                reply = await channel.unary_unary(service.COMMIT)(data, timeout=calls.CALL_S)
            except grpc.aio.AioRpcError:
                self._doubt(channel)
                continue
            assert len(reply) == 8
            return

    async def leader(self) -> int:
        """The number of the member that leads; waits for it."""
        while not self._known.is_set():
            if self._search is None or self._search.done():
                self._search = asyncio.create_task(self._find())
            await self._known.wait()
        return self._leader + 1

    def kill(self, member: int) -> None:
        """SIGKILL."""
        self._group.kill(member)

    def revive(self, member: int) -> None:
        """Start a killed one again."""
        self._group.start(member)

    async def level(self, member: int) -> bool:
        """Whether a member has what the leader has. Raises RuntimeError when it has ended."""
        if member in self._group.ended():
            raise RuntimeError(f"member {member} ended: {self._group.log(member)}")
        newest = await self.revision(await self.leader())
        return 0 <= newest <= await self.revision(member) + LEVEL_WITHIN

    async def names(self) -> set[str]:
        """Every key that is there now."""
        await self.leader()
        call = self._channels[self._leader].unary_unary(service.NAMES)
        text: bytes = await call(b"", timeout=calls.READY_S)
        return set(text.decode().split("\n"))

    async def revision(self, member: int) -> int:
        """What a member has applied; -1 when it does not answer."""
        try:
            return int((await calls.stand(self._channels[member - 1]))["revision"])
        except grpc.aio.AioRpcError:
            return -1

    async def close(self) -> None:
        """End the connections."""
        if self._search:
            self._search.cancel()
        for channel in self._channels:
            await channel.close()

    def _doubt(self, channel: Channel) -> None:
        if channel is self._channels[self._leader]:
            self._known.clear()

    async def _find(self) -> None:
        while True:
            found = await asyncio.gather(*(calls.leads(one) for one in self._channels))
            if any(found):
                self._leader = found.index(True)
                self._known.set()
                return
            await asyncio.sleep(SEARCH_S)
