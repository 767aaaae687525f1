"""The list of control nodes in a real etcd: all see it, each name is one's, strangers stay out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.etcd.controls import CONTROLS_MAX, ControlsError, look
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.stored.values import Control, Controls
from holdfast.control.store.etcd.target import parse
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = pytest.mark.integration

_prefixes = (f"test-{n}" for n in itertools.count())
A, B = Control(7, "a", ("a:1",)), Control(8, "b", ("b:1",))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServers]:
    servers = EtcdServers(tmp_path_factory.mktemp("etcd"))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def address(servers: EtcdServers) -> str:
    return f"etcd://{servers.hosts}/{next(_prefixes)}"


def engine_of(address: str, control: Control, authority: str = "ours") -> EtcdEngine:
    engine = EtcdEngine(
        parse(address), new_cluster_id="test", name=control.name, endpoints=control.endpoints
    )
    engine.introduce(control.id, authority)
    return engine


@asynccontextmanager
async def started(
    address: str, control: Control, authority: str = "ours"
) -> AsyncIterator[EtcdEngine]:
    engine = engine_of(address, control, authority)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def until(engine: EtcdEngine, known: tuple[Control, ...]) -> None:
    """Until an engine has heard of just these."""
    turned = asyncio.Event()
    engine.on_turn(turned.set)
    async with asyncio.timeout(5):
        while engine.controls.known != known:
            turned.clear()
            await turned.wait()


async def test_all_know_all(address: str) -> None:
    async with started(address, B) as second:
        assert second.controls == Controls("ours", (B,))
        async with started(address, A) as first:
            assert first.controls == Controls("ours", (A, B))
            await until(second, (A, B))
            assert first.leader is not None
            assert first.leader.name == "b"
            await second.remove_control(A.id)
            assert second.controls.known == (B,)
            await until(first, (B,))
            await second.add_control(Control(9, "c", ()))
            await until(first, (B, Control(9, "c", ())))
    assert (await look(parse(address))).controls.known == (B, Control(9, "c", ()))


async def test_one_that_comes_back_elsewhere_is_itself(address: str) -> None:
    async with started(address, A):
        pass
    moved = A._replace(endpoints=("a:2",))
    async with started(address, moved) as again:
        assert again.controls.known == (moved,)


async def test_many_at_once_lose_nobody(address: str) -> None:
    many = [Control(number, f"c{number}", ()) for number in range(1, CONTROLS_MAX)]
    async with started(address, A) as engine:
        await asyncio.gather(*(engine.add_control(one) for one in many))
        assert {one.id for one in engine.controls.known} == {A.id, *(one.id for one in many)}


@pytest.mark.parametrize(
    ("control", "authority", "told"),
    [(B._replace(name="a"), "ours", 'is called "a"'), (B, "theirs", "another authority")],
)
async def test_strangers_do_not_start(
    address: str, control: Control, authority: str, told: str
) -> None:
    async with started(address, A) as first:
        with pytest.raises(ControlsError, match=told):
            await engine_of(address, control, authority).start()
        assert first.controls == Controls("ours", (A,))


async def test_a_double_ends_the_first(address: str) -> None:
    """The same data directory twice, on two machines."""
    async with started(address, B), started(address, A) as first:
        double = A._replace(endpoints=("elsewhere:1",))
        async with started(address, double), asyncio.timeout(5):
            with pytest.raises(FatalStoreError, match='called "a" was started'):
                await first.until_failed()


async def test_an_etcd_that_lost_the_cluster_gets_no_new_one(address: str) -> None:
    assert (await look(parse(address))).cluster_id == ""
    engine = EtcdEngine(parse(address), new_cluster_id="", cluster_id="test")
    with pytest.raises(StoreError, match="holds no cluster below"):
        await engine.start()
    assert (await look(parse(address))).cluster_id == ""
