"""How a client asks a member: over the network, with everything that can go wrong on the way.

A request is a coroutine function that runs in the member's process. Its answer, or its error,
comes back; or nothing does, and the client gives up after a while (`LostError`), at times telling
the member to drop the call. A machine without its process refuses (`RefusedError`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from holdfast.api.errors import ApiError
from holdfast.control.store.engine import StoreError
from tests.sim.whole.member import Member
from tests.sim.whole.stage import Stage
from tests.sim.whole.world import Host

Request = Callable[[Member], Awaitable[Any]]


class RefusedError(Exception):
    """Nobody listens there: nothing happened."""


class LostError(Exception):
    """No answer came in time: it may have happened."""


class Service:
    """The way from clients to members."""

    def __init__(self, stage: Stage, members: Mapping[int, Member], host: Host) -> None:
        self._stage = stage
        self._members = members
        self._host = host
        self._rng = stage.world.streams["service"]

    async def ask(self, client: int, member: int, request: Request, timeout_s: float) -> Any:
        """Ask and wait. Raises RefusedError, LostError, and what the member answers."""
        loop = self._host.loop
        answer: asyncio.Future[Any] = loop.create_future()
        calls: list[asyncio.Task[None]] = []
        network, spawn = self._stage.network, self._stage.world.spawn

        def back(deed: Callable[[], None]) -> None:
            network.carry(member, client, lambda: loop.call_soon(deed) and None)

        def arrive() -> None:
            target = self._members[member]
            if target.host is None or not target.ready:
                back(lambda: _fail(answer, RefusedError()))
                return
            calls.append(spawn(target.host, _serve(target, request, answer, back)))

        network.carry(client, member, arrive)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            if self._rng.random() < 0.5:
                self._drop(client, member, calls)
            raise LostError from None

    def _drop(self, client: int, member: int, calls: list[asyncio.Task[None]]) -> None:
        """The client hangs up: the member's call is cancelled, if it still runs."""

        def cancel() -> None:
            for call in calls:
                if not call.done():
                    self._stage.counts["call cancelled"] += 1
                    call.get_loop().call_soon(call.cancel)

        self._stage.network.carry(client, member, cancel)


async def _serve(
    member: Member, request: Request, answer: asyncio.Future[Any],
    back: Callable[[Callable[[], None]], None],
) -> None:  # fmt: skip
    try:
        await member.admit()
        found = await request(member)
    except (StoreError, ApiError) as error:
        failure = error
        back(lambda: _fail(answer, failure))
    else:
        back(lambda: _settle(answer, found))


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _settle(answer: asyncio.Future[Any], found: Any) -> None:
    if not answer.done():
        answer.set_result(found)
