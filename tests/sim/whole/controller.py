"""A controller of the simulation: on the leader, on its cache, writing in the term it decided in.

It keeps COPIES objects of one resource alive: clients delete them, it makes new ones under new
names. An object too many means that it acted on a cache that lacked acknowledged writes, or that
a decision of an old term took effect: nothing in the commit itself could have shown it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.control.store.commands import ABSENT, Commit, Key, Write
from holdfast.control.store.engine import StoreError, UnknownOutcomeError
from tests.sim.history import Kind, token

if TYPE_CHECKING:
    from tests.sim.whole.member import Member

COPIES = 3
RESOURCE = "copies"
LOOK_S = 0.7
THINKS_S = (0.0, 0.3, 1.0, 4.0)
"""It thinks for up to one of these: leadership may go meanwhile, and come back in another term."""


class Controller:
    """Runs while its member leads."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._world = member.stage.world
        self._wake = asyncio.Event()
        assert member.host
        self._task = self._world.spawn(member.host, self._run())

    def wake(self) -> None:
        """The member leads now."""
        self._wake.set()

    def close(self) -> None:
        """Do nothing more."""
        self._task.cancel()

    async def _run(self) -> None:
        engine = self._member.engine
        assert engine
        while True:
            if engine.view.leads:
                try:
                    await self._reconcile()
                except StoreError as error:
                    self._world.note(f"controller of {self._member.id}: {error}")
            self._wake.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _reconcile(self) -> None:
        engine, rng = self._member.engine, self._world.streams["controllers"]
        assert engine
        term = engine.view.term
        assert self._member.cache
        there = self._member.cache.list(RESOURCE)
        await asyncio.sleep(rng.random() * rng.choice(THINKS_S))
        wanted = COPIES - len(there)
        if wanted <= 0 or self._member.stage.ending:
            return
        operation = self._member.stage.history.begin(0, Kind.WRITE, self._world.now)
        names = [f"copy-{rng.getrandbits(48):012x}" for _ in range(wanted)]
        operation.commit = commit = Commit(
            rng.randbytes(16),
            [
                Write(Key(RESOURCE, "", name), token(operation.number, at), ABSENT)
                for at, name in enumerate(names)
            ],
            term=term,
        )
        try:
            operation.result = await engine.commit(commit)
            self._member.stage.history.finish(operation, self._world.now)
        except UnknownOutcomeError:
            raise
        except StoreError:
            operation.failed = True
            raise
        self._member.counts["controller wrote"] += 1
