"""Cycles of few new objects are found; those of a burst are taken as living."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

import pytest

from holdfast.api.cycles import OLDER_MAX, YOUNG_MAX, YOUNG_MIN, Cycles


class Knot:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def cycles() -> Iterator[Cycles]:
    made = Cycles()
    made.loaded()
    yield made
    gc.enable()


def test_a_cycle_among_few_new_objects_is_found(cycles: Cycles) -> None:
    knot = weakref.ref(Knot())
    assert knot() is not None
    living = [[] for _ in range(YOUNG_MIN)]
    cycles.look()
    assert knot() is None
    assert len(living) == YOUNG_MIN


def test_almost_nothing_new_is_not_looked_at(cycles: Cycles) -> None:
    gc.collect()
    knot = weakref.ref(Knot())
    cycles.look()
    assert knot() is not None


def test_a_cycle_that_lived_through_a_look_is_found_by_the_next(cycles: Cycles) -> None:
    living: list[object] = [Knot(), *([] for _ in range(YOUNG_MIN))]
    knot = weakref.ref(living[0])
    cycles.look()
    living[0] = None
    living += [[] for _ in range(YOUNG_MIN)]
    cycles.look()
    assert knot() is None


def test_what_a_burst_made_is_taken_as_living(cycles: Cycles) -> None:
    before = gc.get_freeze_count()
    living = [[] for _ in range(YOUNG_MAX + 1)]
    cycles.look()
    assert gc.get_freeze_count() - before >= len(living)
    assert gc.get_count()[0] < YOUNG_MIN


def test_looks_stay_short_however_much_lives_on(cycles: Cycles) -> None:
    living: list[list[object]] = []
    for _ in range(4 * OLDER_MAX // YOUNG_MAX):
        living += [[] for _ in range(YOUNG_MAX - YOUNG_MIN)]
        cycles.look()
        assert len(gc.get_objects()) <= OLDER_MAX + YOUNG_MAX


async def test_the_collectors_own_rule_holds_again_afterwards() -> None:
    task = asyncio.create_task(Cycles().run())
    await asyncio.sleep(0)
    assert not gc.isenabled()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert gc.isenabled()
