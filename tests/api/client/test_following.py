"""The client among several control nodes: real servers, of which one takes writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.api.client import Client, Endpoint
from holdfast.api.errors import ApiError, Reason, not_leader
from holdfast.control.rpc import cluster, resources
from holdfast.control.rpc.server import Listener, Server, serve
from tests.control.registry.world import config_map
from tests.control.rpc.serving import Site, authenticate, site


class Follower:
    """A second door to the same store that sends writers away. says: the leader's address."""

    def __init__(self, at: Site, says: str) -> None:
        self.says = says
        self.asked = 0
        self._at = at
        self._more = asyncio.Event()

    async def require(self) -> None:
        self.asked += 1
        self._more.set()
        raise not_leader("another leads", [self.says] if self.says else [])

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(5):
            while self.asked < times:
                self._more.clear()
                await self._more.wait()

    async def start(self, address: str) -> Server:
        world = self._at.world
        service = resources.ResourcesService(
            world.engine, world.cache, self._at.hub, world.registry, authenticate,
            self._at.share, self.require,
        )  # fmt: skip
        state = cluster.ClusterService(world.engine, world.cache, authenticate, world.engine)
        names = [resources.NAME, cluster.NAME]
        return await serve([Listener(address)], [service.handler(), state.handler()], names)


@contextlib.asynccontextmanager
async def two(path: Path, says: str | None = None) -> AsyncIterator[tuple[Site, Follower, str]]:
    """A leader, a follower, and the follower's address."""
    async with site(path) as at:
        follower = Follower(at, at.address if says is None else says)
        server = await follower.start(f"unix:{path}/follower.sock")
        yield at, follower, server.addresses[0]
        await server.stop(0)


async def test_a_write_goes_to_the_leader_that_the_follower_names(tmp_path: Path) -> None:
    async with two(tmp_path) as (at, follower, address), Client.connect(Endpoint((address,))) as it:
        await it.create("configmaps", config_map())
        await it.delete("configmaps", "settings", "default")
        assert follower.asked == 1, "it stays with the leader"
        assert it.address == at.address


async def test_a_read_stays_with_the_follower(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, follower, address), Client.connect(Endpoint((address,))) as it:
        await it.list("configmaps")
        assert follower.asked == 0
        assert it.address == address


async def test_a_call_waits_for_an_election(tmp_path: Path) -> None:
    async with (
        two(tmp_path, "") as (at, follower, address),
        Client.connect(Endpoint((address,))) as it,
    ):
        writing = asyncio.create_task(it.create("configmaps", config_map()))
        await follower.until_asked(3)
        assert not writing.done()
        follower.says = at.address
        await asyncio.wait_for(writing, 5)


async def test_a_call_gives_up_with_what_it_was_told_last(tmp_path: Path) -> None:
    async with two(tmp_path, "") as (_, _, address), Client.connect(Endpoint((address,))) as it:
        path, request = "/holdfast.api.rpc.v1.Resources/Delete", resources.resources_pb2
        with pytest.raises(ApiError) as refused:
            await it.unary(
                path, request.DeleteRequest(), request.ObjectReply.FromString, timeout_s=0.3
            )
        assert refused.value.reason in (Reason.NOT_LEADER, Reason.TIMEOUT)


async def test_a_dead_leader_is_named_for_a_while(tmp_path: Path) -> None:
    """Until the follower has noticed: it is asked again, not the dead one in a tight loop."""
    dead = f"unix:{tmp_path}/dead.sock"
    async with (
        two(tmp_path, dead) as (at, follower, address),
        Client.connect(Endpoint((dead, address))) as it,
    ):
        writing = asyncio.create_task(it.create("configmaps", config_map()))
        await follower.until_asked(3)
        follower.says = at.address
        await asyncio.wait_for(writing, 5)
        assert follower.asked < 10


async def test_one_address_is_enough_to_learn_all(tmp_path: Path) -> None:
    """Who follows something asks where the others are, and goes on when its own is gone."""
    async with two(tmp_path) as (at, _, address), Client.connect(Endpoint((address,))) as it:
        watch = it.watch("configmaps")
        await anext(watch)
        assert it.addresses == (at.address, address)
        await watch.aclose()  # type: ignore[attr-defined]


async def test_a_repeated_write_happens_once(tmp_path: Path) -> None:
    """The leader's answer is lost after it was done: the repeat gets the first answer."""
    async with two(tmp_path) as (at, follower, address), Client.connect(Endpoint((address,))) as it:
        done = asyncio.Event()
        passed = follower.require

        async def lost() -> None:
            done.set()
            raise ApiError(Reason.UNKNOWN_OUTCOME, "it may or may not have happened")

        follower.require = lost  # type: ignore[method-assign]
        server = await follower.start(f"unix:{tmp_path}/lost.sock")
        async with Client.connect(Endpoint((server.addresses[0],))) as other:
            with pytest.raises(ApiError, match="may or may not"):
                await other.create("configmaps", config_map())
        await server.stop(0)
        follower.require = passed  # type: ignore[method-assign]
        await it.create("configmaps", config_map())
        assert done.is_set()
        assert at.world.cache.count("configmaps", "default") == 1


async def test_a_watch_goes_on_at_another_control_node(tmp_path: Path) -> None:
    """Nothing is told twice and nothing is left out."""
    async with two(tmp_path) as (at, follower, _):
        lost = await follower.start(f"unix:{tmp_path}/lost.sock")
        both = Endpoint((lost.addresses[0], at.address))
        async with Client.connect(both) as it:
            await at.world.create("configmaps", config_map("a"))
            batches = it.watch("configmaps", "default")
            told = [event.object for event in await anext(batches) if event.object]
            await lost.stop(0)
            await at.world.create("configmaps", config_map("b"))
            told += [event.object for event in await anext(batches) if event.object]
            assert [one.metadata.name for one in told] == ["a", "b"]
            assert it.address == at.address
            await batches.aclose()  # type: ignore[attr-defined]
