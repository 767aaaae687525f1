"""The leader's work is started and ended with its terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from holdfast.control.group.terms import Terms
from holdfast.control.together import together


class View(NamedTuple):
    term: int
    leads: bool


class Work:
    """Notes when it starts and ends; ends slowly, as real parts do."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.fail: Exception | None = None
        self._moved = asyncio.Event()

    async def lead(self, term: int) -> None:
        self._say(f"begins {term}")
        if self.fail:
            raise self.fail
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            self._say(f"ended {term}")

    def _say(self, what: str) -> None:
        self.story.append(what)
        self._moved.set()

    async def until(self, *story: str) -> None:
        async with asyncio.timeout(5):
            while self.story != list(story):
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Terms, Work]]:
    work = Work()
    terms = Terms(work.lead)
    task = asyncio.create_task(terms.run())
    yield terms, work
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_work_runs_while_this_member_leads() -> None:
    async with running() as (terms, work):
        terms.turned(View(2, False))
        terms.turned(View(3, True))
        await work.until("begins 3")
        terms.turned(View(4, False))
        await work.until("begins 3", "ended 3")


async def test_two_terms_never_work_at_once() -> None:
    """Lost and won again before anybody had a turn."""
    async with running() as (terms, work):
        terms.turned(View(3, True))
        await work.until("begins 3")
        terms.turned(View(4, False))
        terms.turned(View(5, True))
        await work.until("begins 3", "ended 3", "begins 5")


async def test_a_term_that_is_over_before_it_began_is_left_out() -> None:
    async with running() as (terms, work):
        terms.turned(View(3, True))
        terms.turned(View(4, False))
        terms.turned(View(5, True))
        await work.until("begins 5")


async def test_the_end_ends_the_work() -> None:
    async with running() as (terms, work):
        terms.turned(View(3, True))
        await work.until("begins 3")
    assert work.story == ["begins 3", "ended 3"]


async def test_work_that_fails_ends_it_all() -> None:
    work = Work()
    work.fail = ValueError("mine")
    terms = Terms(work.lead)
    terms.turned(View(3, True))
    with pytest.raises(ValueError, match="mine"):
        await asyncio.wait_for(terms.run(), 5)


async def test_side_by_side_until_one_ends() -> None:
    ended: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(name)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    async def stops() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ValueError, match="mine"):
        await together(waits("a"), waits("b"), fails())
    assert ended == ["b", "a"], "the last one first"
    with pytest.raises(RuntimeError, match="came to an end"):
        await together(waits("c"), stops())
    task = asyncio.create_task(together(waits("d")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ended == ["b", "a", "c", "d"]
