"""Where a store lives: the seam between the engine and a file system.

`FileDisk` is a data directory with a thread a connection; a simulation brings one in memory, with
the same SQL. A connection's calls run one after the other, in the order they were made.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from holdfast.control.store import directory
from holdfast.control.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class Connection(Protocol):
    """An open database. Errors are DiskFullError (rolled back) and FatalStoreError."""

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:  # fmt: skip
        """Run a function on it."""

    async def transact(
        self, work: Callable[Concatenate[sqlite3.Connection, P], None], *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:  # fmt: skip
        """Run a function inside one transaction; it is durable when this returns."""

    async def close(self) -> None:
        """Wait for what runs, then close it."""


class Disk(Protocol):
    """One member's data. `name` is what error messages call it."""

    @property
    def name(self) -> str: ...

    async def claim(self) -> None:
        """Keep everybody else out until `release`. Raises StoreError: somebody has it."""

    def release(self) -> None:
        """Let others have it."""

    async def holds_store(self) -> bool:
        """Whether a store is there. Raises FatalStoreError for something that is none of ours."""

    async def make(self, create: Callable[[sqlite3.Connection], None]) -> None:
        """Make a new store with this content, whole or not at all. Raises StoreError."""

    async def connect(self, cache_bytes: int) -> Connection:
        """Open the store."""

    async def freeze(self) -> Connection:
        """A connection that reads the state of now until it is closed, whatever is written."""

    def file_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""

    def wal_bytes(self) -> int:
        """Bytes of the write-ahead log."""


FREEZE_CACHE_BYTES = 2 << 20


class FileDisk:
    """A data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    @property
    def name(self) -> str:
        """The database file."""
        return str(self.path / directory.FILE)

    async def claim(self) -> None:
        """See Disk."""
        self._lock = await asyncio.to_thread(directory.claim, self.path)

    def release(self) -> None:
        """See Disk."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            directory.release(lock)

    async def holds_store(self) -> bool:
        """See Disk."""
        return await asyncio.to_thread(directory.examine, self.path)

    async def make(self, create: Callable[[sqlite3.Connection], None]) -> None:
        """See Disk."""
        await asyncio.to_thread(directory.make, self.path, create)

    async def connect(self, cache_bytes: int) -> Database:
        """See Disk."""
        return await Database.open(self.path / directory.FILE, cache_bytes)

    async def freeze(self) -> Database:
        """See Disk."""
        database = await self.connect(FREEZE_CACHE_BYTES)
        try:
            await database.run(_begin_reading)
        except BaseException:
            await database.close()
            raise
        return database

    def file_bytes(self) -> int:
        """See Disk."""
        return directory.file_bytes(self.path)

    def wal_bytes(self) -> int:
        """See Disk."""
        return directory.wal_bytes(self.path)


def _begin_reading(connection: sqlite3.Connection) -> None:
    """The transaction sees what is there at its first read, which is this one."""
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM meta").fetchall()
