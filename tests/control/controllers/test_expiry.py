from __future__ import annotations

from typing import Any

from holdfast.control.controllers.expiry import EventExpiry
from tests.control.controllers.world import START, World


def event(name: str, at: float) -> dict[str, Any]:
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Tested",
        "lastTimestamp": when,
    }


async def test_events_go_an_hour_after_they_last_happened(world: World) -> None:
    world.start(EventExpiry())
    await world.create("events", event("old", START))
    await world.create("events", event("young", START + 1800))
    await world.create("events", event("again", START))
    await world.settle()
    await world.wait(1000)

    def repeat(found: Any) -> None:
        found.lastTimestamp.seconds = int(world.now)

    await world.change("events", "again", repeat)
    await world.wait(2611)
    assert [each.metadata.name for each in world.all("events")] == ["again", "young"]
    await world.wait(3000)
    assert world.all("events") == []


async def test_many_go_in_slices(world: World) -> None:
    for number in range(1100):
        await world.create("events", event(f"e{number}", START - 4000))
    world.start(EventExpiry())
    await world.step()
    assert len(world.all("events")) == 600
    await world.settle()
    assert world.all("events") == []
