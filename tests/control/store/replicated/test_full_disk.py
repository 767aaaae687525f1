"""One member of several whose disk is full: it steps aside, and comes back with space."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.control.raft.shell import driver
from holdfast.control.store.commands import Key
from holdfast.control.store.disk import Connection, FileDisk
from holdfast.control.store.engine import DiskFullError, UnknownOutcomeError
from tests.control.store.replicated.group import Group, leads, put, within


class Filling(FileDisk):
    """A data directory whose disk can be full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_full = False

    async def connect(self, cache_bytes: int) -> Any:
        return Tap(await super().connect(cache_bytes), self)


class Tap:
    """A Connection that refuses transactions while the disk is full."""

    def __init__(self, inner: Connection, disk: Filling) -> None:
        self._inner = inner
        self._disk = disk

    async def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._inner.run(work, *args, **kwargs)

    async def transact(self, work: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        if self._disk.is_full:
            raise DiskFullError(f"the disk of {self._disk.path} is full")

        def checked(connection: sqlite3.Connection) -> None:
            work(connection, *args, **kwargs)

        await self._inner.transact(checked)

    async def close(self) -> None:
        await self._inner.close()


@pytest.fixture
async def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Group]:
    monkeypatch.setattr(driver, "FULL_RETRY_S", 0.2)
    group = Group(tmp_path, disk=Filling)
    await group.found(1, 2, 3)
    yield group
    await group.stop()


def fill(group: Group, member: int, *, full: bool) -> None:
    disk = group.engines[member].disk
    assert isinstance(disk, Filling)
    disk.is_full = full


async def test_a_leader_without_space_steps_aside(group: Group) -> None:
    first = await group.leader()
    await put(first, "a")
    fill(group, first.member, full=True)
    with pytest.raises(UnknownOutcomeError):
        await put(first, "unsure")
    second = await group.leader(first.member)
    await put(second, "b")
    await asyncio.sleep(0.1)
    assert not leads(first)
    fill(group, first.member, full=False)
    await group.level()
    assert first.row(Key("pods", "", "b"))


async def test_a_follower_without_space_catches_up(group: Group) -> None:
    leader = await group.leader()
    other = next(m for m in group.engines if m != leader.member)
    fill(group, other, full=True)
    for n in range(20):
        await put(leader, f"a{n}")
    assert leads(leader)
    fill(group, other, full=False)
    await group.level()


async def test_nothing_is_acknowledged_without_a_majority_of_disks(group: Group) -> None:
    leader = await group.leader()
    await put(leader, "a")
    for member in group.engines:
        if member != leader.member:
            fill(group, member, full=True)
    commit = asyncio.create_task(put(leader, "b"))
    await asyncio.sleep(0.1)
    assert not commit.done()
    for member in group.engines:
        fill(group, member, full=False)
    await asyncio.gather(commit, return_exceptions=True)
    await within(lambda: any(map(leads, group.engines.values())))
    await group.level()
