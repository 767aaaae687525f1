"""A machine's disk: the same SQL on SQLite in memory, in whole transactions, with a crash.

A transaction is done when its sync is over, not before; a crash in between loses it, or finds it
done though nobody heard of it. Reads take a moment, syncs longer, on a slow disk much longer. A
full disk refuses whatever writes. What outlives the process is the connection in here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdfast.control.store.engine import DiskFullError, FatalStoreError, StoreError
from tests.sim.whole.world import Host, World


@dataclass
class Wear:
    """How the disk is: seconds of a read and of a sync, both times up to two; full."""

    read_s: float = 0.0002
    sync_s: float = 0.001
    full: bool = False


class SimDisk:
    """A Disk. `host` is the process that uses it, set at each start."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.wear = Wear()
        self.host: Host | None = None
        self._world = world
        self._rng = world.streams["disk"]
        self._store: sqlite3.Connection | None = None
        self._claimed: Host | None = None
        self.unsynced: list[Callable[[], None]] = []

    async def claim(self) -> None:
        """See Disk."""
        if self._claimed is not None:
            raise StoreError(f"{self.name} is in use")
        self._claimed = self.host

    def release(self) -> None:
        """See Disk."""
        self._claimed = None

    def crash(self) -> bool:
        """The process is gone. Of what was not synced yet the first few may be there all the
        same; True: something was lost."""
        self._claimed = None
        waiting, self.unsynced = self.unsynced, []
        kept = self._rng.randrange(len(waiting) + 1) if not self.wear.full else 0
        for work in waiting[:kept]:
            work()
        return kept < len(waiting)

    async def holds_store(self) -> bool:
        """See Disk."""
        return self._store is not None

    async def make(self, create: Callable[[sqlite3.Connection], None]) -> None:
        """See Disk."""
        store = sqlite3.connect(":memory:", isolation_level=None)
        store.execute("BEGIN")
        create(store)
        store.execute("COMMIT")
        self._store = store

    async def connect(self, cache_bytes: int) -> SimConnection:
        """See Disk."""
        assert self._store
        return SimConnection(self, self._store)

    async def freeze(self) -> SimConnection:
        """See Disk."""
        assert self._store
        copy = sqlite3.connect(":memory:", isolation_level=None)
        copy.deserialize(self._store.serialize())
        return SimConnection(self, copy)

    def file_bytes(self) -> int:
        """See Disk."""
        return 0

    def wal_bytes(self) -> int:
        """See Disk."""
        return 0

    def time_of(self, least_s: float) -> float:
        """How long an operation takes this time."""
        return least_s * (1 + self._rng.random())


class SimConnection:
    """A Connection. Its calls end one after the other, in the order they were made."""

    def __init__(self, disk: SimDisk, store: sqlite3.Connection) -> None:
        self._disk = disk
        self._store = store
        self._free_at = 0.0  # local time of the process

    async def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """See Connection."""
        await self._wait(self._disk.wear.read_s)
        return self._do(lambda: work(self._store, *args, **kwargs))

    async def transact(self, work: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """See Connection."""
        disk = self._disk

        def whole() -> None:
            if disk.wear.full:
                raise DiskFullError(f"the disk of {disk.name} is full: free space and try again")
            self._store.execute("BEGIN IMMEDIATE")
            try:
                work(self._store, *args, **kwargs)
            except BaseException:
                self._store.execute("ROLLBACK")
                raise
            self._store.execute("COMMIT")

        disk.unsynced.append(whole)
        await self._wait(disk.wear.sync_s)
        disk.unsynced.remove(whole)
        self._do(whole)

    async def close(self) -> None:
        """See Connection."""
        await self._wait(0.0)

    async def _wait(self, least_s: float) -> None:
        host = self._disk.host
        assert host
        loop = host.loop
        self._free_at = max(self._free_at, loop.time()) + self._disk.time_of(least_s) + 1e-6
        done = loop.create_future()
        loop.call_at(self._free_at, _settle, done)
        await done

    def _do(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except sqlite3.Error as error:
            raise FatalStoreError(f"{self._disk.name}: {error}") from error


def _settle(done: Any) -> None:
    if not done.done():
        done.set_result(None)
