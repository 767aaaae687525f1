"""The etcd engine on a real etcd: the suite of all engines, and what is its own."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import ABSENT, Change
from holdfast.control.store.engine import (
    ExpiredError,
    FatalStoreError,
    NotLeaderError,
    StoreError,
)
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.engine import EtcdEngine, Standing
from holdfast.control.store.etcd.past import histories
from holdfast.control.store.etcd.planning.batches import put as etcd_put
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import CHANGES_MAX
from holdfast.control.store.etcd.target import Target, parse
from tests.control.store.conformance import PODS, Conformance, Told, atomic, batch, drop, key, put
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = pytest.mark.integration

_prefixes = (f"test-{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServers]:
    """One etcd for all tests here; each has its own prefix."""
    servers = EtcdServers(tmp_path_factory.mktemp("etcd"))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def address(servers: EtcdServers) -> str:
    """A store of the test's own."""
    return f"etcd://{servers.hosts}/{next(_prefixes)}"


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def engine(address: str, told: Told) -> AsyncIterator[EtcdEngine]:
    engine = EtcdEngine(parse(address), new_cluster_id="test")
    engine.listen(told)
    await engine.start()
    yield engine
    await engine.stop()


class TestEtcdEngine(Conformance):
    """The suite."""


@asynccontextmanager
async def started(address: str, name: str, *listeners: Told) -> AsyncIterator[EtcdEngine]:
    engine = EtcdEngine(parse(address), new_cluster_id="other", name=name, endpoints=(f"{name}:1",))
    for listener in listeners:
        engine.listen(listener)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def foreign(address: str, *operations: etcd.RequestOp) -> None:
    """Another program writes to the same etcd."""
    connection = Connection(parse(address))
    request = etcd.TxnRequest(success=operations)
    await connection.call(lambda member: member.kv.Txn, request)
    await connection.close()


async def test_everything_is_there_after_a_restart(engine: EtcdEngine, address: str) -> None:
    commit = batch(put("a"), put("b"), commit_id=b"0123456789abcdef")
    first = await engine.commit(commit)
    await engine.commit(batch(drop("b"), put("a", b"w")))
    await engine.commit(batch(put("a", expect=ABSENT), commit_id=b"refused"))
    await engine.compact(first.revision)
    rows, revision, before = engine.rows(PODS), engine.revision, engine.status()
    history = await engine.history(first.revision, 100)
    await engine.stop()
    told = Told()
    async with started(address, "control-2", told) as again:
        assert (again.rows(PODS), again.revision) == (rows, revision)
        assert await again.history(first.revision, 100) == history
        after = again.status()
        assert after.term > before.term
        assert after._replace(term=0, database_bytes=0) == before._replace(term=0, database_bytes=0)
        assert [change.key for change in told.changes] == [row.key for row in rows]
        assert await again.commit(commit) == first
        assert again.revision == revision


async def test_a_follower_follows_and_redirects(
    engine: EtcdEngine, address: str, told: Told
) -> None:
    heard = Told()
    async with started(address, "control-2", heard) as follower:
        assert not follower.status().leader
        assert follower.status().term == engine.status().term
        await engine.commit(atomic(put("a"), put("b")))
        await engine.commit(batch(*(put(f"n{n}") for n in range(300)), drop("a")))
        assert await follower.barrier() == engine.revision
        assert heard.commits == told.commits
        assert follower.rows(PODS) == engine.rows(PODS)
        with pytest.raises(NotLeaderError, match="control-1 leads") as refused:
            await follower.commit(batch(put("c")))
        assert refused.value.endpoints == ()
        with pytest.raises(NotLeaderError):
            await follower.compact(1)


async def test_a_leader_that_stops_hands_over_at_once(engine: EtcdEngine, address: str) -> None:
    commit = batch(put("a"), commit_id=b"0123456789abcdef")
    first = await engine.commit(commit)
    old = engine.status().term
    async with started(address, "control-2") as second:
        leads = asyncio.Event()

        def moved(standing: Standing) -> None:
            assert standing.leads == bool(second.status().leader)
            leads.set()

        second.watch(moved)
        await engine.stop()
        async with asyncio.timeout(1.5):
            await leads.wait()
        assert second.status().term > old
        assert await second.commit(commit) == first
        ((late,), _) = await second.commit(batch(put("b"), term=old))
        assert late.refusal == "term"
        ((now,), _) = await second.commit(batch(put("b"), term=second.status().term))
        assert now.refusal is None


async def test_other_writers_count_but_leave_us_alone(
    engine: EtcdEngine, address: str, told: Told
) -> None:
    await engine.commit(batch(put("a")))
    before = engine.revision
    await foreign(address, etcd_put(b"/somebody/else", b"x"))
    assert engine.revision == before
    await engine.commit(batch(put("b")))
    assert engine.revision > before + CHANGES_MAX
    assert [change.key.name for change in await engine.history(0, 10)] == ["a", "b"]
    assert await engine.page(PODS, "", before + CHANGES_MAX, None, 9) == engine.rows(PODS)[:1]


@pytest.mark.parametrize("deleted", [True, False])
async def test_a_foreign_hand_on_our_keys_ends_the_engine(
    engine: EtcdEngine, address: str, deleted: bool
) -> None:
    await engine.commit(batch(put("a")))
    where = Layout(parse(address).prefix).object(key("a"))
    delete = etcd.RequestOp(request_delete_range=etcd.DeleteRangeRequest(key=where))
    await foreign(address, delete if deleted else etcd_put(where, b"mine"))
    async with asyncio.timeout(5):
        with pytest.raises(FatalStoreError, match=r"pods.*a was changed by another program"):
            await engine.until_failed()
    with pytest.raises(StoreError, match="another program"):
        await engine.commit(batch(put("b")))
    if not deleted:
        with pytest.raises(FatalStoreError, match="a is not an object"):
            await EtcdEngine(parse(address), new_cluster_id="x").start()


async def test_a_cluster_is_not_taken_for_another(engine: EtcdEngine, address: str) -> None:
    with pytest.raises(FatalStoreError, match=r"holds cluster test below .*, not mine"):
        await EtcdEngine(parse(address), new_cluster_id="", cluster_id="mine").start()
    with pytest.raises(StoreError, match="holds no cluster below /nobody"):
        target = Target(parse(address).hosts, prefix="nobody")
        await EtcdEngine(target, new_cluster_id="").start()


async def test_pages_and_history_inside_a_commit(engine: EtcdEngine, told: Told) -> None:
    await engine.commit(batch(*(put(f"p{n}") for n in range(6))))
    await engine.commit(atomic(drop("p1"), put("p2", b"w"), put("q"), drop("p4"), put("a")))
    end = engine.revision
    await engine.commit(batch(drop("q")))
    (*_, commit, _last) = told.commits
    state = {row.key: row for row in await engine.page(PODS, "", commit[0].revision - 1, None, 99)}
    for change in commit:
        _take(state, change)
        expected = [state[one] for one in sorted(state)]
        assert [row.key for row in await engine.page(PODS, "", change.revision, None, 99)] == [
            row.key for row in expected
        ]
        rest = [one for one in commit if one.revision > change.revision]
        assert await engine.history(change.revision, len(rest)) == rest
        assert [row.key for row in await engine.page(PODS, "", change.revision, key("p0"), 3)] == [
            row.key for row in expected if row.key > key("p0")
        ][:3]
    assert commit[-1].revision == end


def _take(state: dict[object, object], change: Change) -> None:
    state.pop(change.key, None)
    if change.value is not None:
        state[change.key] = change


async def test_what_etcd_itself_compacted_is_expired(engine: EtcdEngine, address: str) -> None:
    for n in range(5):
        await engine.commit(batch(put("a", b"%d" % n)))
    revisions = [change.revision for change in await engine.history(0, 9)]
    connection = Connection(parse(address))
    compact = etcd.CompactionRequest(revision=revisions[3] // CHANGES_MAX)
    await connection.call(lambda member: member.kv.Compact, compact)
    await connection.close()
    with pytest.raises(ExpiredError, match="compacted"):
        await engine.page(PODS, "", revisions[0], None, 9)
    async with started(address, "control-2") as second:
        with pytest.raises(ExpiredError, match="compacted"):
            await second.history(revisions[0], 9)
        assert [one.revision for one in await second.history(revisions[3], 9)] == revisions[4:]


async def test_history_out_of_etcd_is_what_the_listeners_heard(
    engine: EtcdEngine, address: str, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "PIECE_CHANGES", 50)
    for n in range(5):
        await engine.commit(batch(*(put(f"n{n}-{k}") for k in range(40)), put("a", b"%d" % n)))
        await engine.commit(batch(drop(f"n{n}-0"), drop("a")))
    async with started(address, "control-2") as second:
        await engine.commit(batch(put("late")))
        await second.barrier()
        for limit in (7, 64, 1000):
            found: list[Change] = []
            while page := await second.history(found[-1].revision if found else 0, limit):
                assert len(page) <= limit
                found += page
            assert found == told.changes
        inside = [change.revision for change in told.changes][3:200:41]
        for after, found in zip(
            inside,
            await asyncio.gather(*(second.history(after, 90) for after in inside)),
            strict=True,
        ):
            assert found == [one for one in told.changes if one.revision > after][:90]


async def test_the_tail_forgets_and_etcd_remembers(
    engine: EtcdEngine, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "TAIL_CHANGES_MAX", 10)
    for n in range(8):
        await engine.commit(atomic(put("a", b"%d" % n), put(f"n{n}"), put("b")))
    assert await engine.history(0, 100) == told.changes
    for change in told.changes:
        expected = [one for one in told.changes if one.revision > change.revision]
        assert await engine.history(change.revision, 100) == expected


async def test_values_up_to_a_megabyte_and_not_more_than_etcd_takes(engine: EtcdEngine) -> None:
    large = random.Random(1).randbytes(1 << 20)
    writes = [put(f"n{n}", large) for n in range(5)]
    result = await engine.commit(batch(*writes))
    assert all(one.refusal is None for one in result.outcomes)
    with pytest.raises(StoreError, match="takes no request of this size"):
        await engine.commit(batch(put("huge", large * 2)))
    after = await engine.commit(batch(put("after")))
    assert after.outcomes[0].refusal is None
    assert len(await engine.history(0, 100)) == 6
    assert {row.value for row in await engine.page(PODS, "", engine.revision, None, 9)} == {
        large,
        b"v",
    }


async def test_strange_names_keep_their_order(engine: EtcdEngine) -> None:
    names = ["a", "a-b", "a/b", "a\0b", "a\x01b", "a\x01", "a.b", "ä", "\0", "a\0"]
    await engine.commit(batch(*(put(name, namespace=space) for name in names for space in names)))
    rows = engine.rows(PODS)
    assert [row.key for row in rows] == sorted(row.key for row in rows)
    assert await engine.page(PODS, "", engine.revision, None, 1000) == rows
    own = [row for row in rows if row.key.namespace == "a"]
    assert await engine.page(PODS, "a", engine.revision, None, 1000) == own


async def test_an_etcd_that_does_not_answer_is_named(address: str) -> None:
    with pytest.raises(StoreError, match=r"etcd at 127\.0\.0\.1:1 does not answer"):
        await EtcdEngine(parse("etcd://127.0.0.1:1"), new_cluster_id="x").start()


async def test_one_dead_member_in_the_list_is_passed_over(address: str) -> None:
    both = address.replace("etcd://", "etcd://127.0.0.1:1,")
    async with started(both, "control-1") as engine:
        await engine.commit(batch(put("a")))
