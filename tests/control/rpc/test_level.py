"""A control node that has just started takes no calls before it is level with the others."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.control.rpc import level as module
from holdfast.control.rpc.level import Level
from holdfast.control.store.engine import StoreError


class Status(NamedTuple):
    leader: bool = False


class Engine:
    """Fails so many barriers."""

    def __init__(self, failures: int, *, leads: bool = False) -> None:
        self._failures = failures
        self._leads = leads

    def status(self) -> Status:
        return Status(self._leads)

    async def barrier(self) -> int:
        self._failures -= 1
        if self._failures >= 0:
            raise StoreError("nobody confirms it")
        return 1


async def who(_context: Any) -> Identity:
    return Identity("somebody")


def made(failures: int, *, leads: bool = False) -> Level:
    engine: Any = Engine(failures, leads=leads)
    return Level(engine, who)


async def test_a_leader_takes_calls_at_once() -> None:
    context: Any = None
    assert (await made(9, leads=True).authenticate(context)).name == "somebody"


async def test_a_call_waits_until_it_is_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.001)
    level, context = made(3), None
    call = asyncio.create_task(level.authenticate(context))  # type: ignore[arg-type]
    running = asyncio.create_task(level.run())
    assert (await call).name == "somebody"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    context: Any = None
    with pytest.raises(ApiError, match="not level") as refused:
        await made(9).authenticate(context)
    assert refused.value.reason is Reason.UNAVAILABLE


async def test_one_that_was_removed_sends_everybody_away() -> None:
    level, context = made(0, leads=True), None
    level.remove()
    with pytest.raises(ApiError, match="was removed"):
        await level.authenticate(context)  # type: ignore[arg-type]
