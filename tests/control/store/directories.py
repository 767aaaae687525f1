"""Directories of stores: left by a crash, opened again, looked into and changed behind our back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from secrets import randbelow

from holdfast.control.store import directory
from holdfast.control.store.commands import Row
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.store.conformance import PODS, Told, batch, put


async def reopened(path: Path) -> tuple[list[Row], int, Told]:
    """Start on a directory, look, stop."""
    engine, told = RaftEngine(path, randbelow), Told()
    engine.listen(told)
    await engine.start()
    found = (engine.rows(PODS), engine.revision, told)
    await engine.stop()
    return found


async def crashed_copy(engine: RaftEngine, path: Path) -> Path:
    """The files as a crash at this moment would leave them."""
    copy = path.with_name("crashed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    return copy


async def stopped(tmp_path: Path) -> Path:
    """A directory with three objects, one entry of them in the log only."""
    path = tmp_path / "store"
    engine = RaftEngine(path, randbelow, cluster_id="test")
    await engine.start()
    await engine.commit(batch(put("a", b"A" * 3000), put("b", b"B" * 3000)))
    await asyncio.sleep(0.1)
    await engine.commit(batch(put("c", b"C" * 3000)))
    copy = await crashed_copy(engine, path)
    await engine.stop()
    return copy


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path / directory.FILE)) as connection, connection:
        connection.execute(statement, values)


def content(path: Path) -> dict[str, list[object]]:
    with closing(sqlite3.connect(path / directory.FILE)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("meta", "log", "changes", "retries")
        }


def merge_wal(path: Path) -> None:
    with closing(sqlite3.connect(path / directory.FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
