"""The list of control nodes: kept by the leader, told to the parts of every one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from holdfast.control.group import roster as module
from holdfast.control.group.roster import Roster
from holdfast.control.raft.shell.seams import View
from holdfast.control.store.replicated.members import Member, MemberRole, Standing
from tests.control.registry.world import World, world

Told = list[tuple[str, ...]]


class Group:
    """A real engine of one member, beside which learners are pretended."""

    def __init__(self, there: World) -> None:
        self.engine = there.engine
        self.member = there.engine.member
        self.learners: dict[int, Standing] = {}
        self.promoted: list[int] = []
        self.moved = asyncio.Event()

    def members(self) -> list[Standing]:
        return [*self.engine.members(), *self.learners.values()]

    def watch(self, watch: Callable[[View], None]) -> None:
        self.engine.watch(watch)

    async def announce(self, member: Member) -> None:
        await self.engine.announce(member)

    async def promote_member(self, member: int) -> None:
        self.promoted.append(member)
        del self.learners[member]
        self.moved.set()


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[tuple[Group, Roster, Told]]:
    async with world(path) as there:
        group = Group(there)
        mine = Member(group.member, "control-1", "p:1", ("h:1", "h2:1"))
        roster, told = Roster(group, there.cache, mine), []
        roster.tell(told.append)
        leading = asyncio.create_task(roster.lead())
        yield group, roster, told
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)


async def until_told(told: Told, count: int) -> None:
    async with asyncio.timeout(5):
        while len(told) < count:  # noqa: ASYNC110 — a list has no event
            await asyncio.sleep(0.005)


async def test_the_leader_keeps_its_own_row(tmp_path: Path) -> None:
    async with kept(tmp_path) as (group, _, told):
        await until_told(told, 1)
        async with asyncio.timeout(5):
            while not group.engine.members()[0].member.peer:  # noqa: ASYNC110 — as above
                await asyncio.sleep(0.005)
        assert group.engine.members()[0].member.endpoints == ("h:1", "h2:1")
        assert told == [("h:1", "h2:1")], "before the first row it is this one's own"


async def test_an_old_row_of_its_own_is_never_told(tmp_path: Path) -> None:
    """Started with other flags: who looks for it must find it where it is now."""
    async with world(tmp_path) as there:
        group, told = Group(there), []
        await group.announce(Member(group.member, "old", "p:9", ("old:9",)))
        roster = Roster(group, there.cache, Member(group.member, "new", "p:1", ("new:1",)))
        roster.tell(told.append)
        await roster.announce()
        assert told == [("new:1",)]
        assert group.engine.members()[0].member.name == "new"


async def test_changes_are_told(tmp_path: Path) -> None:
    async with kept(tmp_path) as (group, _, told):
        other = Member(7, "control-2", "q:1", ("i:1",))
        group.learners[7] = Standing(other, MemberRole.LEARNER, False, 0.0)
        await group.engine.announce(other)
        await until_told(told, 2)
        assert told[-1] == ("h:1", "h2:1", "i:1")


async def test_learners_vote_when_they_have_caught_up(tmp_path: Path) -> None:
    async with kept(tmp_path) as (group, _, _told):
        slow = Standing(Member(7, "slow", "q:1"), MemberRole.LEARNER, False, 0.89)
        group.learners = {7: slow, 8: replace(slow, member=Member(8, "fast", "r:1"), matched=0.9)}
        await group.engine.announce(slow.member)  # as a change of the group would
        await asyncio.wait_for(group.moved.wait(), 5)
        assert group.promoted == [8]
        group.moved.clear()
        group.learners[7] = replace(slow, matched=1.0)
        await asyncio.wait_for(group.moved.wait(), 20 * module.LOOK_S)
        assert group.promoted == [8, 7]


async def test_who_is_not_in_the_list_was_removed(tmp_path: Path) -> None:
    async with kept(tmp_path) as (group, roster, _):
        assert not roster.removed
        group.member = 99
        assert roster.removed


async def test_who_hears_that_it_was_removed_tells_it_at_once(tmp_path: Path) -> None:
    """Its own log may never say so: nothing is sent any more to who is out."""
    async with kept(tmp_path) as (group, roster, told):
        await until_told(told, 1)
        group.learners[7] = Standing(Member(7, "other", "q:1", ("i:1",)), MemberRole.VOTER, True, 1)
        group.engine.expelled()
        assert told == [("h:1", "h2:1")], "while it is a member, nothing is told"
        group.member = 99
        group.engine.expelled()
        assert roster.removed
        assert len(told) == 2
