"""Several members: replication, redirects, elections, snapshots, membership."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.control.store import database
from holdfast.control.store.commands import ANY, Commit, Key, Refusal, Write
from holdfast.control.store.engine import (
    FatalStoreError,
    NotLeaderError,
    StoreError,
    UnknownOutcomeError,
)
from holdfast.control.store.replicated import sending, upkeep
from holdfast.control.store.replicated.members import Member, MemberRole
from holdfast.control.store.replicated.writer import Keep
from tests.control.store.replicated.group import Group, put, within


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    group = Group(tmp_path, Keep(entries=5, most=50))
    yield group
    await group.stop()


async def test_a_commit_reaches_everybody(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    result = await put(leader, "a", "b")
    await group.level()
    for member, engine in group.engines.items():
        assert [row.key.name for row in engine.rows("pods")] == ["a", "b"]
        assert await engine.barrier() >= result.revision
        assert group.told[member].changes == group.told[leader.member].changes


async def test_followers_name_the_leader(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    await leader.announce(Member(leader.member, "one", "one:1", ("one:6444",)))
    await group.level()
    for engine in group.engines.values():
        if engine is not leader:
            await within(lambda engine=engine: engine.view.leader)
            with pytest.raises(NotLeaderError, match='"one" leads') as raised:
                await put(engine, "a")
            assert raised.value.endpoints == ("one:6444",)


async def test_the_next_leader_has_what_was_acknowledged(group: Group) -> None:
    await group.found(1, 2, 3)
    first = await group.leader()
    for n in range(20):
        await put(first, f"a{n}")
    term = first.view.term
    group.wires.cut.append(first.member)
    second = await group.leader(first.member)
    assert second.view.term > term
    assert len(second.rows("pods")) == 20
    ((old,), _) = await second.commit(
        Commit(b"", [Write(Key("pods", "", "late"), b"", ANY)], term=term)
    )
    assert old.refusal == Refusal.TERM
    await put(second, "b")
    group.wires.cut.clear()
    await group.level()
    assert first.row(Key("pods", "", "b"))


async def test_a_leader_that_is_cut_off_answers_nothing(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    await put(leader, "a")
    group.wires.cut.append(leader.member)
    commit = asyncio.create_task(put(leader, "lost"))
    with pytest.raises((UnknownOutcomeError, NotLeaderError)):  # the latter when it led no more
        await commit
    assert leader.row(Key("pods", "", "lost")) is None
    assert not leader.view.leads


async def test_a_repeat_at_the_next_leader_happens_once(group: Group) -> None:
    await group.found(1, 2, 3)
    first = await group.leader()
    commit = Commit(b"0123456789abcdef", [Write(Key("pods", "", "a"), b"v", ANY)])
    result = await first.commit(commit)
    group.wires.cut.append(first.member)
    second = await group.leader(first.member)
    assert await second.commit(commit) == result


async def test_who_was_away_for_long_gets_a_snapshot(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    away = next(m for m in group.engines if m != leader.member)
    await put(leader, "before")
    await group.level()
    group.wires.cut.append(away)
    for n in range(200):
        await put(leader, f"a{n}", "same", value=b"%d" % n)
    group.wires.cut.clear()
    await group.level()
    engine = group.engines[away]
    log = engine._open().store.log
    assert log.anchor > 50
    assert engine.revision == leader.revision
    assert await engine.history(1, 1000) == await leader.history(1, 1000)
    await put(leader, "after")
    await group.level()
    await engine.stop()
    again = await group.start(away)
    await group.level()
    assert again.row(Key("pods", "", "after"))


async def test_a_group_grows_and_shrinks(group: Group) -> None:
    first = await group.start(1)
    await first.announce(Member(1, "one", "one:1"))
    for n in range(50):
        await put(first, f"a{n}")
    for member, name in ((2, "two"), (3, "three")):
        await group.start(member, ())
        await first.add_member(Member(member, name, f"{name}:1"))
        await group.level()
        await within(lambda: first.members()[-1].matched > 0.9)
        await first.promote_member(member)
    roles = [(one.member.name, one.role) for one in first.members()]
    assert roles == [(n, MemberRole.VOTER) for n in ("one", "two", "three")]
    await group.level()
    await first.transfer(2)
    second = await group.leader()
    assert second.member == 2
    await second.remove_member(2)
    third = await group.leader(2)
    await put(third, "after")
    assert [one.member.id for one in third.members()] == [1, 3]
    with pytest.raises(StoreError, match="not used again"):
        await third.add_member(Member(2, "two", "two:2"))


async def test_a_learner_that_lags_is_not_promoted(group: Group) -> None:
    first = await group.start(1)
    await put(first, "a")
    await first.add_member(Member(2, "two", "two:1"))
    with pytest.raises(StoreError, match='member "two" has 0 % of the log'):
        await first.promote_member(2)
    with pytest.raises(StoreError, match="the only one that votes"):
        await first.remove_member(1)
    await first.remove_member(2)
    assert [one.member.id for one in first.members()] == [1]


async def test_a_member_whose_state_differs_ends(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    await put(leader, "a")
    await group.level()
    other = next(engine for engine in group.engines.values() if engine is not leader)
    running = leader._open()
    other._open().store.state.position.checksum ^= 1
    await put(leader, "b")
    await group.level()
    running._verify()
    with pytest.raises(FatalStoreError, match="differ from the leader's"):
        async with asyncio.timeout(5):
            await other.until_failed()
    await put(leader, "c")
    running._verify()
    assert leader.view.leads


async def test_a_failure_is_told_once(group: Group) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    await group.found(1, 2, 3)
    leader = await group.leader()
    other = next(member for member, engine in group.engines.items() if engine is not leader)
    group.engines[other].failed(FatalStoreError("the disk is gone"))
    await group.engines.pop(other).stop()
    gc.collect()
    assert told == []  # no exception that nobody asked for, printed with a traceback


async def test_who_stops_hands_over(group: Group) -> None:
    await group.found(1, 2, 3)
    leader = await group.leader()
    await put(leader, "a")
    term = leader.view.term
    stopping = asyncio.create_task(leader.stop())
    second = await group.leader(leader.member)
    assert second.view.term == term + 1
    await stopping
    await put(second, "b")


async def test_a_long_write_ahead_log_from_before_hinders_no_snapshot(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WAL_BYTES_MAX", 1 << 20)
    await group.found(1, 2, 3)
    leader = await group.leader()
    away = next(m for m in group.engines if m != leader.member)
    group.wires.cut.append(away)
    for n in range(200):
        await put(leader, f"a{n}")
    assert leader.disk.wal_bytes() > 1 << 20
    group.wires.cut.clear()
    await group.level()


async def test_small_writes_do_not_make_a_long_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "CHECKPOINT_BYTES", 256 << 10)
    monkeypatch.setattr(database, "WAL_KEPT_BYTES", 256 << 10)
    group = Group(tmp_path)
    await group.found(1)
    leader = await group.leader()
    longest = 0
    for n in range(400):  # a page or more for each table and index, whatever is in it
        await put(leader, f"a{n}")
        longest = max(longest, leader.disk.wal_bytes())
    await group.stop()
    assert longest < 2 << 20
