"""What a snapshot means to the cache, its subscribers and the watches of a member."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.cache import Cache, Hub, Update, Watcher
from holdfast.control.cache.events import Event
from holdfast.control.store.commands import ANY, Commit, Key, Write
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.replicated.writer import Keep
from tests.control.store.replicated.group import Group


class Cached(Group):
    """Members with caches."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Keep(entries=3, most=20))
        self.caches: dict[int, Cache] = {}

    def made(self, member: int, engine: RaftEngine) -> None:
        self.caches[member] = Cache(engine, verify=True)


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Cached]:
    group = Cached(tmp_path)
    await group.found(1, 2, 3)
    yield group
    await group.stop()


async def put(engine: RaftEngine, name: str, node: str = "") -> None:
    pod = core.Pod()
    pod.metadata.name, pod.metadata.namespace, pod.spec.nodeName = name, "default", node
    key = Key("pods", "default", name)
    await engine.commit(Commit(b"", [Write(key, pod.SerializeToString(), ANY)]))


async def drop(engine: RaftEngine, name: str) -> None:
    await engine.commit(Commit(b"", [Write(Key("pods", "default", name), None, ANY)]))


async def events(watch: Watcher, revision: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(10):
        while True:
            batch = await watch.next()
            found += [event for event in batch.events if event.key]
            if batch.revision >= revision:
                return found


def told(update: Update) -> tuple[str, str]:
    entry = update.new or update.old
    assert entry
    return update.type.name, entry.key.name


async def test_watches_go_on_over_a_snapshot(group: Cached) -> None:
    leader = await group.leader()
    away = next(m for m in group.engines if m != leader.member)
    engine, cache = group.engines[away], group.caches[away]
    await put(leader, "a")
    await put(leader, "gone")
    await group.level()
    hub, updates = Hub(cache), list[Update]()
    cache.subscribe("pods", updates.extend)
    watch, waiting = hub.watch("pods", after=1), hub.watch("pods", after=engine.revision)
    waiter = asyncio.create_task(waiting.next())
    await asyncio.sleep(0)
    began = engine.revision

    group.wires.cut.append(away)
    for n in range(60):
        await put(leader, "a", f"n{n}")
    await drop(leader, "gone")
    await put(leader, "b")
    group.wires.cut.clear()
    await group.level()

    assert [entry.key.name for entry in cache.list("pods")] == ["a", "b"]
    assert sorted(map(told, updates)) == [
        ("ADDED", "b"), ("DELETED", "gone"), ("MODIFIED", "a")
    ]  # fmt: skip
    cache.verify()
    found = await events(watch, leader.revision)
    assert [event.revision for event in found] == list(range(2, leader.revision + 1))
    first = await waiter
    assert first.events[0].revision == began + 1
    await put(leader, "c")
    assert (await events(watch, leader.revision))[-1].key == Key("pods", "default", "c")
    hub.close()


async def test_a_watch_below_the_new_floor_is_told(group: Cached) -> None:
    leader = await group.leader()
    away = next(m for m in group.engines if m != leader.member)
    await put(leader, "a")
    await group.level()
    hub = Hub(group.caches[away])
    watch = hub.watch("pods", after=group.engines[away].revision)
    group.wires.cut.append(away)
    for n in range(60):
        await put(leader, "a", f"n{n}")
    await leader.compact(leader.revision - 5)
    await put(leader, "b")
    group.wires.cut.clear()
    await group.level()
    with pytest.raises(ApiError) as raised:
        await events(watch, leader.revision)
    assert raised.value.reason is Reason.EXPIRED
    hub.close()


async def test_who_unsubscribed_hears_nothing(group: Cached) -> None:
    leader = await group.leader()
    cache, heard = group.caches[leader.member], list[Update]()
    end = cache.subscribe("pods", heard.extend)
    await put(leader, "a")
    end()
    await put(leader, "b")
    assert len(heard) == 1
