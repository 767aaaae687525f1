"""One heap for everything that waits."""

from __future__ import annotations

import asyncio
import math

from holdfast.node.timers import Clock, Timers


class Hand:
    """A clock moved by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_calls_come_in_the_order_of_their_times():
    clock, seen = Hand(), []
    timers = Timers(clock)
    for when in (103.0, 101.0, 102.0, 101.0):
        timers.at(when, seen.append, (when, len(timers)))
    assert timers.next_at() == 101.0
    timers.run_due()
    assert seen == []
    clock.now = 102.0
    timers.run_due()
    assert [when for when, _ in seen] == [101.0, 101.0, 102.0]
    assert seen[0][1] < seen[1][1]
    assert timers.next_at() == 103.0


def test_a_call_may_set_another():
    clock, seen = Hand(), []
    timers = Timers(clock)
    timers.at(100.0, lambda: timers.at(100.0, seen.append, "second"))
    timers.run_due()
    assert seen == ["second"]
    assert timers.next_at() == math.inf


async def test_on_a_loop():
    timers, seen = Timers(Clock()), []
    timers.at(timers.now() + 0.02, seen.append, "late")
    timers.run_on_loop()
    timers.at(timers.now(), seen.append, "soon")
    await asyncio.sleep(0.2)
    timers.at(timers.now() + 0.01, seen.append, "never")
    timers.stop()
    await asyncio.sleep(0.03)
    assert seen == ["soon", "late"]
