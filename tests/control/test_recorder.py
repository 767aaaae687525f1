from __future__ import annotations

import random
from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import events
from holdfast.control.eventshare import OTHERS_AN_EVENT, EventShare
from holdfast.control.notes import BURST, QUEUE_MAX, REFILL_S, Note
from holdfast.control.recorder import FLUSH_MIN, Recorder
from holdfast.control.registry import Ids
from tests.control.controllers.world import World

SOURCE = events.Source("tester")


def note(name: str = "p", message: str = "hello") -> Note:
    about = core.ObjectReference(kind="Pod", namespace="default", name=name, uid=f"uid-{name}")
    return Note(about, events.News(events.Severity.NORMAL, "Tested", message), SOURCE)


async def recording() -> tuple[World, Recorder]:
    world = await World().boot()
    ids = Ids(random.Random(1))
    share = EventShare(lambda: world.cache.revision, lambda: world.now, saved=0)
    return world, Recorder(share, world.registry, lambda: world.now, ids)


async def test_writes_what_happened() -> None:
    world, recorder = await recording()
    recorder.record(note())
    assert await recorder.flush() == 1
    (found,) = world.all("events")
    assert (found.reason, found.message, found.count) == ("Tested", "hello", 1)
    assert found.involvedObject.uid == "uid-p"
    assert found.source.component == "tester"
    assert found.metadata.name.startswith("p.")


async def test_a_repeat_counts_up_one_event() -> None:
    world, recorder = await recording()
    recorder.record(note())
    recorder.record(note())
    await recorder.flush()
    world.now += 10
    recorder.record(note())
    await recorder.flush()
    (found,) = world.all("events")
    assert found.count == 3
    assert found.lastTimestamp.seconds - found.firstTimestamp.seconds == 10


async def test_a_repeat_of_an_expired_event_is_told_the_time_after() -> None:
    world, recorder = await recording()
    recorder.record(note())
    await recorder.flush()
    await world.delete("events", world.all("events")[0].metadata.name)
    recorder.record(note())
    assert await recorder.flush() == 0
    recorder.record(note())
    assert await recorder.flush() == 1


async def test_one_object_cannot_say_everything() -> None:
    world, recorder = await recording()
    for number in range(BURST + 10):
        recorder.record(note(message=str(number)))
    assert (recorder.waiting, recorder.dropped) == (BURST, 10)
    world.now += REFILL_S
    recorder.record(note(message="later"))
    assert recorder.waiting == BURST + 1


async def test_the_queue_is_bounded() -> None:
    _, recorder = await recording()
    for number in range(QUEUE_MAX + 5):
        recorder.record(note(f"p{number}"))
    assert (recorder.waiting, recorder.dropped) == (QUEUE_MAX, 5)


async def test_events_are_a_bounded_share_of_the_writes() -> None:
    world, recorder = await recording()
    await recorder.flush()
    for number in range(500):
        recorder.record(note(f"p{number}"))
    assert await recorder.flush() == FLUSH_MIN
    assert await recorder.flush() == FLUSH_MIN
    for number in range(100 * OTHERS_AN_EVENT):
        tree: dict[str, Any] = {"metadata": {"name": f"c{number}", "namespace": "default"}}
        await world.create("configmaps", tree)
    assert await recorder.flush() == 100 - 2 * FLUSH_MIN


async def test_a_refused_event_is_no_harm() -> None:
    world, recorder = await recording()
    lost = note()
    lost.about.namespace = "nowhere"
    recorder.record(lost)
    recorder.record(note("q"))
    assert await recorder.flush() == 1
    assert [each.involvedObject.name for each in world.all("events")] == ["q"]
