"""The list of control nodes: who keeps it right, and who is told when it changes.

The leader keeps its own row as its flags say, and lets learners vote that have caught up. Every
member tells its parts (the nodes' sessions, the administrator's kubeconfig) where all of them are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from holdfast.control.rpc.members import addresses
from holdfast.control.store.engine import StoreError
from holdfast.control.store.replicated.members import (
    CAUGHT_UP_SHARE,
    RESOURCE,
    Member,
    MemberRole,
    Standing,
)

LOOK_S = 0.2
"""How often a learner's progress is looked at, and an attempt that failed made again."""

log = structlog.get_logger()

Told = Callable[[tuple[str, ...]], None]
"""Gets the mutual-TLS listeners of all control nodes. Must not raise."""


class Group(Protocol):
    """What is used of the engine. member: this one's id."""

    @property
    def member(self) -> int: ...

    def members(self) -> list[Standing]: ...

    def watch(self, watch: Callable[[Any], None]) -> None: ...

    async def announce(self, member: Member) -> None: ...

    async def promote_member(self, member: int) -> None: ...


class Rows(Protocol):
    """What tells that the list changed; see Cache.subscribe."""

    def subscribe(
        self, resource: str, callback: Callable[[list[Any]], None]
    ) -> Callable[[], None]: ...


class Roster:
    """The list, on one control node. mine: this one's row as it should be."""

    def __init__(self, group: Group, rows: Rows, mine: Member) -> None:
        self._group = group
        self._mine = mine
        self._told: list[Told] = []
        self._said: tuple[str, ...] = ()
        self._changed = asyncio.Event()  # set when a row changed; `lead` waits
        rows.subscribe(RESOURCE, self._rows_changed)
        group.watch(self._stands)

    @property
    def removed(self) -> bool:
        """Whether this control node is no member any more, as far as it has heard."""
        members = self._group.members()
        return bool(members) and all(one.member.id != self._group.member for one in members)

    def tell(self, told: Told) -> None:
        """Tell somebody, now and whenever the addresses change."""
        self._told.append(told)
        self._said = self._addresses()
        told(self._said)

    async def announce(self) -> None:
        """Keep this one's row as it should be: flags may have changed since it last ran. Leaders
        only. Raises StoreError."""
        await self._group.announce(self._mine)

    async def lead(self) -> None:
        """The leader's part, until cancelled."""
        while True:
            self._changed.clear()
            try:
                await self.announce()
                waiting = await self._promote(self._group.members())
            except StoreError as error:
                log.info("roster not kept", why=str(error))
                waiting = True
            if waiting:
                await asyncio.sleep(LOOK_S)
            else:
                await self._changed.wait()

    async def _promote(self, members: Sequence[Standing]) -> bool:
        """Let learners vote that may. Returns whether some may not yet."""
        waiting = False
        for standing in members:
            if standing.role is not MemberRole.LEARNER:
                continue
            if standing.matched < CAUGHT_UP_SHARE:
                waiting = True
                continue
            await self._group.promote_member(standing.member.id)
            log.info("member_votes", name=standing.member.name)
        return waiting

    def _addresses(self) -> tuple[str, ...]:
        """All of them; this one's as they are, whatever its row says yet."""
        members = [
            replace(one, member=self._mine) if one.member.id == self._mine.id else one
            for one in self._group.members()
        ]
        return addresses(members) or self._mine.endpoints

    def _rows_changed(self, _updates: Sequence[Any]) -> None:
        # A row comes just before the change of the configuration that it belongs to.
        asyncio.get_running_loop().call_soon(self._look)

    def _stands(self, _view: Any) -> None:
        if self.removed:
            self._look()

    def _look(self) -> None:
        self._changed.set()
        now = self._addresses()
        if now != self._said:
            self._said = now
            for told in self._told:
                told(now)
