"""The door before every call of a control node that has just started: is it level yet?

What it has on disk may be old, or nothing at all: a revoked certificate would be good, a list
empty. So calls wait until it has once reached what the group had acknowledged after its start. One
that was removed from the group hears nothing any more and takes no calls.
"""

from __future__ import annotations

import asyncio

import structlog

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.control.rpc.doors import Authenticate, Context
from holdfast.control.store.engine import Engine, StoreError

WAIT_S = 1.0
AGAIN_S = 0.1
REMOVED = "this control node was removed from the cluster: ask another one"

log = structlog.get_logger()


class Level:
    """Passes calls when `run` has found this control node level. authenticate: who calls."""

    def __init__(self, engine: Engine, authenticate: Authenticate) -> None:
        self._engine = engine
        self._authenticate = authenticate
        self._level = asyncio.Event()  # set once, by run; authenticate waits
        self._removed = False
        if engine.status().leader:
            self._level.set()

    def remove(self) -> None:
        """This control node is no member any more: take no calls."""
        self._removed = True

    async def run(self) -> None:
        """Find out, then do nothing until cancelled."""
        while not self._level.is_set():
            try:
                await self._engine.barrier()
            except StoreError as error:
                log.info("not level yet", why=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                self._level.set()
        await asyncio.get_running_loop().create_future()

    async def authenticate(self, context: Context) -> Identity:
        """The caller's identity. Raises ApiError: Unavailable while it is not level."""
        if self._removed:
            raise ApiError(Reason.UNAVAILABLE, REMOVED)
        if not self._level.is_set():
            await self._wait()
        return await self._authenticate(context)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._level.wait()
        except TimeoutError:
            raise ApiError(
                Reason.UNAVAILABLE,
                "this control node is not level with the others yet (does a majority of them "
                "run?): try again, or another one",
            ) from None
