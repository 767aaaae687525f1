"""Watches: ordered, unique, reliable, whole commits, resumable anywhere, bookmarkable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.api.selectors import parse_labels
from holdfast.control.cache import Batch, Event, EventType, Watcher, watcher
from holdfast.control.store.commands import ANY, Key, Write
from tests.control.cache.fakes import Built, built, drop, on_node, pod, put


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Built]:
    async with built(tmp_path) as made:
        yield made


def said(batch: Batch) -> list[str]:
    return [f"{e.type.name} {e.key.name if e.key else ''}".strip() for e in batch.events]


async def soon(watch: Watcher) -> Batch:
    async with asyncio.timeout(5):
        return await watch.next()


async def nothing(watch: Watcher) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await watch.next()


def test_the_numbers_are_those_of_the_wire() -> None:
    for type_ in EventType:
        assert int(resources_pb2.EventType.Value(type_.name)) == int(type_)


async def test_it_begins_with_the_state_and_a_bookmark(store: Built) -> None:
    await store.commit(put(pod("b")), put(pod("a")), put(pod("c"), namespace="other"))
    watch = store.hub.watch("pods", namespace="default")
    batch = await soon(watch)
    assert said(batch) == ["ADDED a", "ADDED b", "BOOKMARK"]
    assert batch.revision == batch.events[-1].revision == 3
    await nothing(watch)
    await store.commit(put(pod("a", node="n")), put(pod("d")), drop("b"))
    assert said(await soon(watch)) == ["MODIFIED a", "ADDED d", "DELETED b"]


async def test_a_large_state_comes_in_bounded_batches(store: Built) -> None:
    await store.commit(*(put(pod(f"{n:04}")) for n in range(1200)))
    watch = store.hub.watch("pods")
    await store.commit(put(pod("later")))
    names: list[str] = []
    batch = Batch((), 0)
    while not batch.revision:
        batch = await soon(watch)
        assert len(batch.events) <= 501
        names += [event.key.name for event in batch.events if event.key]
    assert names == [f"{n:04}" for n in range(1200)]
    assert said(await soon(watch)) == ["ADDED later"]


async def test_events_on_the_wire(store: Built) -> None:
    watch = store.hub.watch("pods", after=store.cache.revision or 0)
    await soon(watch)
    await store.commit(put(pod("a", node="n" * 300)))
    await store.commit(drop("a"))
    batch = await soon(watch)
    reply = resources_pb2.WatchReply.FromString(b"".join(e.encoded for e in batch.events))
    assert [(e.type, e.revision) for e in reply.events] == [(1, 1), (3, 2)]
    for event, revision in zip(reply.events, ("1", "2"), strict=True):
        found = core.Pod.FromString(event.object)
        assert found.metadata.resourceVersion == revision
        assert found.spec.nodeName == "n" * 300
    bookmark = resources_pb2.WatchReply.FromString(
        Event(EventType.BOOKMARK, 300, None, None).encoded
    )
    assert bookmark.events[0] == resources_pb2.WatchEvent(type=4, revision=300)  # type: ignore[arg-type]


async def test_watchers_share_encoded_events(store: Built) -> None:
    watches = [store.hub.watch("pods") for _ in range(3)]
    for watch in watches:
        await soon(watch)
    await store.commit(put(pod("a")))
    batches = [await soon(watch) for watch in watches]
    assert len({id(batch.events[0].encoded) for batch in batches}) == 1


async def test_a_commit_is_never_split(store: Built) -> None:
    watch = store.hub.watch("pods")
    await soon(watch)
    for n in range(30):
        await store.commit(*(put(pod(f"{n}-{at}")) for at in range(40)))
    seen = 0
    while seen < 1200:
        batch = await soon(watch)
        assert len(batch.events) % 40 == 0
        assert batch.revision == batch.events[-1].revision
        seen += len(batch.events)


async def test_leaving_and_entering_a_selection(store: Built) -> None:
    watch = store.hub.watch("pods", labels=parse_labels("app=web"))
    await soon(watch)
    await store.commit(put(pod("a", app="web")), put(pod("b", app="db")))
    await store.commit(put(pod("a", app="db", now="left")))
    await store.commit(put(pod("b", app="web")))
    await store.commit(drop("a"))
    await store.commit(drop("b"))
    events: list[Event] = []
    while len(events) < 4:
        events += (await soon(watch)).events
    assert said(Batch(tuple(events), 0)) == ["ADDED a", "DELETED a", "ADDED b", "DELETED b"]
    left = core.Pod.FromString(events[1].object)
    assert left.metadata.labels.get("app") == "web"
    assert left.metadata.resourceVersion == "3"


async def test_a_node_sees_its_own_pods(store: Built) -> None:
    await store.commit(put(pod("old", node="n1")), put(pod("not", node="n2")))
    watch = store.hub.watch("pods", fields=on_node("n1"))
    assert said(await soon(watch)) == ["ADDED old", "BOOKMARK"]
    await store.commit(put(pod("a")))
    await nothing(watch)
    await store.commit(put(pod("a", node="n1")))
    assert said(await soon(watch)) == ["ADDED a"]
    await store.commit(put(pod("a", node="n2")))
    assert said(await soon(watch)) == ["DELETED a"]
    unbound = store.hub.watch("pods", fields=on_node(""))
    await soon(unbound)
    await store.commit(put(pod("b")))
    await store.commit(put(pod("b", node="n1")))
    assert said(await soon(unbound)) == ["ADDED b", "DELETED b"]


@pytest.mark.parametrize("records_max", [4, 1000], ids=["history", "ring"])
async def test_it_resumes_at_any_revision(tmp_path: Path, records_max: int) -> None:
    async with built(tmp_path, records_max=records_max) as store:
        whole = store.hub.watch("pods", after=0)
        await soon(whole)
        expected: list[Event] = []
        for n in range(6):
            await store.commit(put(pod("a", node=f"n{n}")), put(pod(f"b{n}")), put(pod("c")))
            await store.commit(drop(f"b{n}"))
            expected += (await soon(whole)).events
        for after in range(1, store.cache.revision):
            watch = store.hub.watch("pods", after=after)
            events: list[Event] = []
            while not events or events[-1].revision < store.cache.revision:
                events += (await soon(watch)).events
            assert [e.encoded for e in events] == [
                e.encoded for e in expected if e.revision > after
            ]
            watch.close()


async def test_a_future_revision_is_waited_for_then_refused(
    store: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "REACH_S", 0.2)
    await store.commit(put(pod("a")))
    watch = store.hub.watch("pods", after=3)
    task = asyncio.create_task(soon(watch))
    await asyncio.sleep(0.01)
    for name in "bcd":
        await store.commit(put(pod(name)))
    assert said(await task) == ["ADDED d"]
    with pytest.raises(ApiError, match="100 is not reached, the newest is 4") as raised:
        await soon(store.hub.watch("pods", after=100))
    assert raised.value.reason == Reason.TIMEOUT
    with pytest.raises(ApiError) as raised:
        store.hub.watch("pods", after=-1)
    assert raised.value.reason == Reason.BAD_REQUEST


async def test_below_the_floor_it_is_told_to_list_again(tmp_path: Path) -> None:
    async with built(tmp_path, records_max=2) as store:
        for n in range(10):
            await store.commit(put(pod("a", node=f"n{n}")))
        await store.engine.compact(5)
        with pytest.raises(ApiError) as raised:
            await soon(store.hub.watch("pods", after=4))
        assert raised.value.reason == Reason.EXPIRED
        assert len((await soon(store.hub.watch("pods", after=5))).events) > 0


async def test_a_slow_watcher_reads_on_from_history(tmp_path: Path) -> None:
    async with built(tmp_path, records_max=10) as store:
        slow = store.hub.watch("pods")
        await soon(slow)
        for n in range(100):
            await store.commit(put(pod(f"{n}")), put(pod("x"), resource="services"))
        revisions: list[int] = []
        while len(revisions) < 100:
            revisions += [event.revision for event in (await soon(slow)).events]
        assert revisions == sorted(set(revisions))


async def test_an_idle_watcher_never_falls_off(tmp_path: Path) -> None:
    async with built(tmp_path, records_max=4) as store:
        idle = store.hub.watch("pods", fields=on_node("n1"))
        await soon(idle)
        task = asyncio.create_task(soon(idle))
        await asyncio.sleep(0)
        for n in range(50):
            await store.commit(put(pod(f"{n}")))
        await store.engine.compact(store.cache.revision)
        await store.commit(put(pod("mine", node="n1")))
        assert said(await task) == ["ADDED mine"]


async def test_latest_only_keeps_what_matters(store: Built) -> None:
    await store.commit(put(pod("kept")), put(pod("gone")), put(pod("again")))
    watch = store.hub.watch("pods", latest_only=True, labels=parse_labels("!hidden"))
    await soon(watch)
    for n in range(3):
        await store.commit(put(pod("kept", node=f"n{n}")), put(pod("made", node=f"n{n}")))
        await store.commit(put(pod("brief")), drop("brief") if n < 2 else put(pod("brief")))
    await store.commit(put(pod("gone", node="n")), drop("gone"), drop("again"))
    await store.commit(put(pod("again")), put(pod("kept", hidden="1")))
    await store.commit(put(pod("kept", node="back")))
    batch = await soon(watch)
    assert said(batch) == [
        "ADDED made", "ADDED brief", "DELETED gone", "DELETED again", "ADDED again",
        "MODIFIED kept",
    ]  # fmt: skip
    revisions = [event.revision for event in batch.events]
    assert revisions == sorted(revisions)
    by_name = {event.key.name: event for event in batch.events if event.key}
    assert core.Pod.FromString(by_name["made"].object).spec.nodeName == "n2"
    assert core.Pod.FromString(by_name["kept"].object).spec.nodeName == "back"
    await nothing(watch)


async def test_a_quiet_watch_says_its_bookmark(tmp_path: Path) -> None:
    async with built(tmp_path, bookmark_s=0.08) as store:
        watch = store.hub.watch("pods", fields=on_node("n1"))
        await soon(watch)
        task = asyncio.create_task(soon(watch))
        await asyncio.sleep(0)
        await store.commit(put(pod("other")))
        batch = await task
        assert said(batch) == ["BOOKMARK"]
        assert batch.revision == batch.events[0].revision == store.cache.revision
        task = asyncio.create_task(soon(watch))
        await asyncio.sleep(0)
        await store.commit(put(pod("mine", node="n1")))
        assert said(await task) == ["ADDED mine"]


async def test_a_cancelled_next_loses_nothing(store: Built) -> None:
    watch = store.hub.watch("pods")
    await soon(watch)
    events: list[Event] = []
    for turns in range(6):
        task = asyncio.create_task(watch.next())
        commit = asyncio.create_task(store.commit(put(pod(f"{turns}"))))
        await asyncio.sleep(0)
        task.cancel()
        answer, _ = await asyncio.gather(task, commit, return_exceptions=True)
        events += answer.events if isinstance(answer, Batch) else ()
    while len(events) < 6:
        events += (await soon(watch)).events
    names = [event.key.name for event in events if event.key]
    assert names == [str(n) for n in range(6)]


async def test_own_rows_can_be_watched(store: Built) -> None:
    watch = store.hub.watch("~tokens")
    await soon(watch)
    await store.commit(Write(Key("~tokens", "", "t"), b"raw", ANY))
    assert (await soon(watch)).events[0].object == b"raw"


async def test_closing_ends_a_watch(store: Built) -> None:
    watches = [store.hub.watch("pods") for _ in range(3)]
    for watch in watches:
        await soon(watch)
    waiting = [asyncio.create_task(watch.next()) for watch in watches]
    await asyncio.sleep(0)
    assert store.hub.watchers == 3
    watches[0].close()
    store.hub.close()
    for answer in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(answer, ApiError)
        assert answer.reason == Reason.UNAVAILABLE
    with pytest.raises(ApiError):
        await watches[0].next()
    assert store.hub.watchers == 0


async def test_many_watchers_are_woken_a_few_at_a_turn(store: Built) -> None:
    watches = [store.hub.watch("pods") for _ in range(200)]
    for watch in watches:
        await soon(watch)
    tasks = [asyncio.create_task(soon(watch)) for watch in watches]
    await asyncio.sleep(0)
    await store.commit(put(pod("a")))
    woken = [sum(task.done() for task in tasks)]
    while woken[-1] < 200:
        await asyncio.sleep(0)
        woken.append(sum(task.done() for task in tasks))
    steps = [after - before for before, after in pairwise(woken)]
    assert max(steps) <= 64
