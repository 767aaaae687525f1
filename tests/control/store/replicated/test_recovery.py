"""A new cluster from one member of a lost majority."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from holdfast.control.store.commands import ANY, Commit, Key, Write
from holdfast.control.store.engine import ExpiredError, StoreError
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.replicated.members import Member
from holdfast.control.store.replicated.recovery import GAP, force_new_cluster
from tests.control.store.replicated.group import Group, put


async def test_a_survivor_becomes_a_cluster(tmp_path: Path) -> None:
    group = Group(tmp_path)
    await group.found(1, 2, 3)
    leader = await group.leader()
    for member in (1, 2, 3):
        await leader.announce(Member(member, f"m{member}", f"m{member}:1"))
    commit = Commit(b"0123456789abcdef", [Write(Key("pods", "", "once"), b"v", ANY)])
    first = await leader.commit(commit)
    for n in range(20):
        await put(leader, f"a{n}")
    await group.level()
    survivor = next(m for m in (1, 2, 3) if m != leader.member)
    await group.stop()
    path = tmp_path / str(survivor)

    done = await force_new_cluster(path, "new")
    assert done.member == survivor
    engine = RaftEngine(path, Random(9).randrange, cluster_id="new")
    await engine.start()
    assert engine.view.leads
    assert engine.revision == done.revision > GAP
    assert {row.key.name for row in engine.rows("pods")} == {"once"} | {f"a{n}" for n in range(20)}
    assert engine.status().floor == engine.revision
    with pytest.raises(ExpiredError):
        await engine.history(5, 10)
    assert await engine.commit(commit) == first
    result = await put(engine, "later")
    assert result.revision == done.revision + 1
    assert [one.member.id for one in engine.members()] == [survivor]
    other = 1 if survivor != 1 else 2
    with pytest.raises(StoreError, match="not used again"):
        await engine.add_member(Member(other, "back", "back:1"))
    await engine.stop()


async def test_the_end_of_the_log_counts(tmp_path: Path) -> None:
    group = Group(tmp_path)
    await group.found(1, 2, 3)
    leader = await group.leader()
    await put(leader, "a")
    await group.level()
    group.wires.cut += [m for m in (1, 2, 3) if m != leader.member]
    with pytest.raises(StoreError):
        await put(leader, "unsure")
    member = leader.member
    await group.stop()
    done = await force_new_cluster(tmp_path / str(member), "new")
    assert done.unsure >= 1
    engine = RaftEngine(tmp_path / str(member), Random(9).randrange)
    await engine.start()
    assert [row.key.name for row in engine.rows("pods")] == ["a", "unsure"]
    await engine.stop()


async def test_nothing_there_or_in_use(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not there"):
        await force_new_cluster(tmp_path / "none", "new")
    engine = RaftEngine(tmp_path / "used", Random(9).randrange, cluster_id="old")
    await engine.start()
    with pytest.raises(StoreError, match="in use"):
        await force_new_cluster(tmp_path / "used", "new")
    await engine.stop()
    with pytest.raises(StoreError, match="an id of its own"):
        await force_new_cluster(tmp_path / "used", "old")
