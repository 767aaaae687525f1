"""The door before everything that only the leader does: writes, sessions, logs and exec.

A call that comes while nobody leads waits here for the election to end, so that who was calling is
told the new leader at once and need not ask again and again. `turned` is told every change of
leadership, in order, before anybody can act on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from holdfast.api.errors import ApiError, not_leader
from holdfast.control.store.replicated.members import MemberRole, Standing

WAIT_S = 1.0
"""Longer than most elections; clients ask again."""
WAITING_MAX = 8192
"""Calls that wait at a time; more are refused at once."""


class View(Protocol):
    """How this member stands (raft.shell.seams.View)."""

    @property
    def leader(self) -> int: ...

    @property
    def leads(self) -> bool: ...


class Leading:
    """Who leads, as this control node knows."""

    def __init__(
        self, view: Callable[[], View], member: int, members: Callable[[], list[Standing]]
    ) -> None:
        """view, members: as of now; member: this one's id."""
        self._view = view
        self._member = member
        self._members = members
        self._waiting: dict[asyncio.Future[None], None] = {}  # settled by turned

    @property
    def alone(self) -> bool:
        """Whether this control node decides by itself. It takes writes whatever the view says: a
        full disk makes it step down, and a write makes it try again."""
        voters = [one.member.id for one in self._members() if one.role is MemberRole.VOTER]
        return voters == [self._member]

    def turned(self, _view: View | None = None) -> None:
        """Leader or role changed: whoever waits looks again."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def require(self) -> None:
        """Return when this control node leads. Raises ApiError NotLeader, with the addresses of
        the one that does; without any when there was none for a while."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        while not (view := self._view()).leads and not self.alone:
            if view.leader not in (0, self._member) or len(self._waiting) >= WAITING_MAX:
                raise self.elsewhere()
            if loop.time() >= until:
                raise self.elsewhere()
            await self._turn(until)

    def elsewhere(self) -> ApiError:
        """The refusal of what another control node has to do."""
        for standing in self._members():
            member = standing.member
            if standing.leads and member.id != self._member:
                return not_leader(f'control node "{member.name}" leads', member.endpoints)
        return not_leader("no control node leads at this moment: try again")

    async def _turn(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_at(until, self.turned)
        try:
            await turn
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)
