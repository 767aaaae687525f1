"""The door of the leader: who passes, who waits, and what the others are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from holdfast.api.errors import ApiError, Reason, leader_addresses
from holdfast.control.rpc import leading as module
from holdfast.control.rpc.leading import Leading
from holdfast.control.store.replicated.members import Member, MemberRole, Standing


class View(NamedTuple):
    leader: int = 0
    leads: bool = False


@dataclass
class Group:
    """Three control nodes; this one is member 1."""

    view: View = field(default_factory=View)
    voters: int = 3
    leading: Leading = field(init=False)

    def __post_init__(self) -> None:
        self.leading = Leading(lambda: self.view, 1, self.members)

    def members(self) -> list[Standing]:
        return [
            Standing(
                Member(number, f"control-{number}", f"p{number}:1", (f"h{number}:1",)),
                MemberRole.VOTER if number <= self.voters else MemberRole.LEARNER,
                number == self.view.leader,
                1.0,
            )
            for number in (1, 2, 3)
        ]

    def turn(self, view: View) -> None:
        self.view = view
        self.leading.turned(view)


async def test_the_leader_passes() -> None:
    await Group(View(1, True)).leading.require()


async def test_another_leader_is_named_at_once() -> None:
    with pytest.raises(ApiError, match='control node "control-2" leads') as refused:
        await Group(View(2)).leading.require()
    assert refused.value.reason is Reason.NOT_LEADER
    assert leader_addresses(refused.value) == ("h2:1",)


@pytest.mark.parametrize("leader", [0, 1], ids=["nobody", "not ready to lead"])
async def test_a_call_waits_for_the_end_of_an_election(leader: int) -> None:
    group = Group(View(leader))
    waiting = [asyncio.create_task(group.leading.require()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    group.turn(View(1, True))
    await asyncio.gather(*waiting)


async def test_who_waits_is_told_of_another_leader() -> None:
    group = Group()
    waiting = asyncio.create_task(group.leading.require())
    await asyncio.sleep(0)
    group.turn(View(3))
    with pytest.raises(ApiError, match="control-3"):
        await waiting


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.02)
    with pytest.raises(ApiError, match="no control node leads") as refused:
        await Group().leading.require()
    assert leader_addresses(refused.value) == ()


async def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 1)
    group = Group()
    first = asyncio.create_task(group.leading.require())
    await asyncio.sleep(0)
    with pytest.raises(ApiError):
        await group.leading.require()
    group.turn(View(1, True))
    await first


async def test_one_that_decides_by_itself_tries_in_any_case() -> None:
    """A full disk makes it step down; only a write can find out that there is room again."""
    await Group(voters=1).leading.require()
