"""The virtual clock: time jumps, clocks drift, pauses make timers late, a crash runs nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.sim.streams import Streams
from tests.sim.whole.network import Network, Weather
from tests.sim.whole.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World(Streams(1))
    yield made
    made.close()


async def _beat(world: World, beats: list[float], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        beats.append(round(world.now, 3))


def test_time_jumps_to_what_is_due(world: World) -> None:
    beats: list[float] = []
    world.spawn(world.host("one"), _beat(world, beats, 100.0))
    world.run(350.0)
    assert beats == [100.0, 200.0, 300.0]
    assert world.now == 350.0


def test_a_fast_clock_beats_more_often(world: World) -> None:
    slow: list[float] = []
    fast: list[float] = []
    world.spawn(world.host("slow", 1.0), _beat(world, slow, 1.0))
    world.spawn(world.host("fast", 2.0), _beat(world, fast, 1.0))
    world.run(10.5)
    assert (len(slow), len(fast)) == (10, 20)


def test_who_was_paused_finds_its_timers_late(world: World) -> None:
    beats: list[float] = []
    host = world.host("one")
    world.spawn(host, _beat(world, beats, 1.0))
    world.after(1.5, lambda: host.pause(True))
    world.after(5.5, lambda: host.pause(False))
    world.run(7.0)
    assert beats == [1.0, 5.5, 6.5]


def test_a_crash_runs_nothing_more(world: World) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1.0)
        finally:
            seen.append("cleaned up")

    host = world.host("one")
    world.spawn(host, work())
    world.after(0.5, lambda: world.kill(host))
    world.run(3.0)
    assert seen == []


def test_an_error_of_an_actor_ends_the_run(world: World) -> None:
    async def fail() -> None:
        raise ValueError("wrong")

    world.spawn(world.host("one"), fail())
    with pytest.raises(ValueError, match="wrong"):
        world.run(1.0)


def test_there_are_no_threads(world: World) -> None:
    async def work() -> None:
        await asyncio.to_thread(print)

    world.spawn(world.host("one"), work())
    with pytest.raises(RuntimeError, match="no threads"):
        world.run(1.0)


def _arrivals(weather: Weather, cut: list[tuple[int, int]], whole: bool) -> list[int]:
    world = World(Streams(3))
    network = Network(world, Counter())
    network.weather = weather
    network.cut(cut)
    arrived: list[int] = []
    for number in range(200):
        network.carry(1, 2, lambda n=number: arrived.append(n), whole=whole)
    world.run(60.0)
    return arrived


def test_a_calm_link_delivers_all_in_order() -> None:
    assert _arrivals(Weather(), [], whole=False) == [*range(200)]


def test_weather_loses_doubles_and_overtakes() -> None:
    weather = Weather(loss=0.2, duplicate=0.2, overtake=0.3)
    arrived = _arrivals(weather, [], whole=False)
    assert set(arrived) < {*range(200)}
    assert len(arrived) > len(set(arrived))
    assert arrived != sorted(arrived)


def test_a_stream_keeps_its_order_in_any_weather() -> None:
    arrived = _arrivals(Weather(duplicate=0.5, overtake=0.5), [], whole=True)
    assert arrived == [*range(200)]


def test_a_link_is_cut_one_way() -> None:
    assert _arrivals(Weather(), [(1, 2)], whole=False) == []
    assert len(_arrivals(Weather(), [(2, 1)], whole=False)) == 200
