"""The one module that knows aiosqlite: a connection with a thread, one hop a transaction.

aiosqlite's public calls cost a hop each; its private `_execute` runs any function in the thread,
so a whole transaction is one. Errors are told apart once, here: DiskFullError (rolled back, may
be tried again) and FatalStoreError (what is on disk is no longer known: the process must end).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from holdfast.control.store.engine import DiskFullError, FatalStoreError

P = ParamSpec("P")
T = TypeVar("T")

STATEMENTS_KEPT = 256
"""Parsed statements: those of the image come in so many texts at most."""

_FULL = {
    sqlite3.SQLITE_FULL,
    4874,  # SQLITE_IOERR_SHMSIZE: the shared-memory index could not grow
}
WAL_KEPT_BYTES = 64 << 20
"""A write-ahead log that starts over is cut to this length: longer than it becomes between two
checkpoints (a file that grows is slower to sync), unless a reader kept it from starting over."""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 0",  # it hides a failed fsync: we call it and look
    "PRAGMA secure_delete = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA busy_timeout = 5000",
)


class Database:
    """An open connection. Calls run one after the other, in the order they were made."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    async def open(cls, path: Path, cache_bytes: int) -> Database:
        """Open an existing file. Raises FatalStoreError when SQLite refuses it."""
        try:
            connection = await aiosqlite.connect(
                _uri(path), uri=True, isolation_level=None, cached_statements=STATEMENTS_KEPT
            )
        except sqlite3.Error as error:
            raise _told(error, path) from error
        database = cls(connection, path)
        try:
            sizes = (
                f"PRAGMA cache_size = {-(cache_bytes // 1024)}",
                f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}",
            )
            for pragma in (*_PRAGMAS, *sizes):
                await database.run(_pragma, pragma)
        except BaseException:
            await database.close()
            raise
        return database

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:  # fmt: skip
        """Run a function on the connection in its thread."""
        connection = self._connection
        try:
            raw = connection._conn  # noqa: SLF001
            return await connection._execute(work, raw, *args, **kwargs)  # type: ignore[no-any-return,no-untyped-call]  # noqa: SLF001
        except sqlite3.Error as error:
            raise _told(error, self._path) from error

    async def transact(
        self, work: Callable[Concatenate[sqlite3.Connection, P], None], *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:  # fmt: skip
        """Run a function inside one transaction; it is durable when this returns."""

        def transaction(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(connection, *args, **kwargs)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

        await self.run(transaction)

    async def close(self) -> None:
        """Wait for what runs, close the connection and end its thread."""
        await self._connection.close()


def _uri(path: Path) -> str:
    """Opens what is there, makes nothing."""
    return f"{path.absolute().as_uri()}?mode=rw"


def _pragma(connection: sqlite3.Connection, text: str) -> None:
    connection.execute(text).fetchall()


def _told(error: sqlite3.Error, path: Path) -> DiskFullError | FatalStoreError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _FULL:
        return DiskFullError(f"the disk of {path.parent} is full: free space and try again")
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return FatalStoreError(f"{path} is corrupt ({error}): restore it from a backup")
    return FatalStoreError(f"writing {path} failed ({error}): look at the disk, then start again")
