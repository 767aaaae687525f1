"""The operator of the simulation: adds members, promotes and removes them, as the CLI would.

A new member starts with an empty disk and the group's id, as soon as it is asked for; whether the
group took it may never be known. One that was removed is ended a while later, and its id is never
used again.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from holdfast.control.store.engine import StoreError
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.replicated.members import Member as Peer
from holdfast.control.store.replicated.members import MemberRole
from tests.sim.whole.member import Member
from tests.sim.whole.stage import Stage

ALIVE_MAX = 6
VOTERS_MIN = 3
"""Of so many one may be removed: with two the one that stays may never learn of it."""


class Operator:
    """Changes the group through its leader."""

    def __init__(self, stage: Stage, members: dict[int, Member]) -> None:
        self._stage = stage
        self._members = members
        self._rng = stage.world.streams["operator"]

    def change(self) -> None:
        """One change, whichever the group's state allows."""
        leaders = [member for member in self._members.values() if member.leads]
        if not leaders:
            return
        leader = self._rng.choice(leaders)
        engine = leader.engine
        assert engine and leader.host
        group = engine.members()
        learners = [one.member.id for one in group if one.role is MemberRole.LEARNER]
        voters = [one.member.id for one in group if one.role is MemberRole.VOTER]
        alive = sum(not member.removed for member in self._members.values())
        chance = self._rng.random()
        if learners and chance < 0.6:
            self._begin(leader, self._promote(engine, self._rng.choice(learners)))
        elif len(voters) >= VOTERS_MIN and chance < 0.8 and alive > VOTERS_MIN:
            gone = leader.id if self._rng.random() < 0.4 else self._rng.choice(voters)
            self._begin(leader, self._remove(engine, gone, leader.id))
        elif alive < ALIVE_MAX:
            self._begin(leader, self._add(engine))

    def _begin(self, leader: Member, work: Coroutine[Any, Any, None]) -> None:
        assert leader.host
        self._stage.world.spawn(leader.host, self._guard(work))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StoreError as error:
            self._stage.world.note(f"operator: {error}")

    async def _add(self, engine: RaftEngine) -> None:
        ident = len(self._members) + 1
        member = self._members[ident] = Member(self._stage, ident, ())
        member.start()
        await engine.add_member(Peer(ident, f"member-{ident}", f"peer-{ident}"))
        self._stage.counts["member added"] += 1

    async def _promote(self, engine: RaftEngine, ident: int) -> None:
        await engine.promote_member(ident)
        self._stage.counts["learner promoted"] += 1

    async def _remove(self, engine: RaftEngine, ident: int, leader: int) -> None:
        await engine.remove_member(ident)
        self._stage.counts["leader removed" if ident == leader else "follower removed"] += 1
        self._stage.world.after(self._rng.uniform(0.5, 3.0), lambda: self._end(ident))

    def _end(self, ident: int) -> None:
        member = self._members[ident]
        member.removed = True
        member.crash()
