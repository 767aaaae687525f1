"""What cannot be opened: one sentence that names the file, and nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from secrets import randbelow

import pytest

from holdfast.control.store import directory, image, records
from holdfast.control.store.commands import Compact
from holdfast.control.store.engine import FatalStoreError
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.store.directories import change, content, merge_wal, reopened, stopped


def entry_row(index: int, crc: int, term: int, data: bytes) -> tuple[object, ...]:
    return (index, term, 0, records.chain(crc, index, term, data), data)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE log SET data = CAST(data || x'00' AS BLOB)", "log entry 4 .* fails its checksum"),
        ("UPDATE log SET kind = 1 WHERE position = 4", "log entry 4 .* fails its checksum"),
        ("UPDATE log SET kind = 9 WHERE position = 4", "9 is not a valid EntryType"),
        ("UPDATE log SET term = 9 WHERE position = 3", "log entry 3 is not the one its image"),
        ("UPDATE log SET position = 5 WHERE position = 4", "log entry 5 does not follow entry 3"),
        ("DELETE FROM log", "log does not reach its image"),
        ("UPDATE hard_state SET vote = vote + 1", "corrupt .its vote"),
        ("DELETE FROM hard_state", "corrupt .its vote"),
        ("UPDATE changes SET value = x'41' WHERE revision = 1", "2 objects do not add up"),
        ("UPDATE changes SET name = 'z' WHERE revision = 1", "do not add up"),
        ("DELETE FROM changes WHERE revision = 1", "do not add up"),
        ("UPDATE meta SET revision = revision + 1", "corrupt .its position"),
        ("DELETE FROM meta", "corrupt .its position"),
    ],
)
async def test_a_corrupt_store_is_refused(tmp_path: Path, statement: str, sentence: str) -> None:
    path = await stopped(tmp_path)
    change(path, statement)
    before = content(path)
    with pytest.raises(FatalStoreError, match=sentence) as raised:
        await RaftEngine(path, randbelow).start()
    assert str(path / directory.FILE) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert content(path) == before


async def test_a_log_entry_of_another_version_is_refused(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    meta = content(path)["meta"][0]
    assert isinstance(meta, tuple)
    data = b"\x63" + records.encode([Compact(1)])[1:]
    change(path, "DELETE FROM log WHERE position = 4")
    row = entry_row(meta[5] + 1, meta[6], meta[4], data)
    change(path, "INSERT INTO log VALUES (?, ?, ?, ?, ?)", *row)
    with pytest.raises(FatalStoreError, match="log entry 4 is of version 99"):
        await RaftEngine(path, randbelow).start()


async def test_flipped_bytes_in_the_file_are_found(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    merge_wal(path)
    file = path / directory.FILE
    data = file.read_bytes()
    for letter in b"AC":  # in the row of an object, in a log entry
        run = bytes([letter]) * 500
        broken = data.replace(run, run[:-1] + b"x")
        file.write_bytes(broken)
        with pytest.raises(FatalStoreError, match="corrupt"):
            await RaftEngine(path, randbelow).start()
        assert file.read_bytes() == broken


async def test_a_torn_file_is_refused_or_whole(tmp_path: Path) -> None:
    """The write-ahead log cut anywhere: what starts is a state that was committed."""
    path = await stopped(tmp_path)
    wal = path / (directory.FILE + "-wal")
    data = wal.read_bytes()
    seen = set()
    for length in range(0, len(data), max(1, len(data) // 23)):
        shutil.rmtree(tmp_path / "torn", ignore_errors=True)
        torn = shutil.copytree(path, tmp_path / "torn")
        (torn / wal.name).write_bytes(data[:length])
        rows, _, _ = await reopened(torn)
        seen.add("".join(row.key.name for row in rows))
    assert seen <= {"", "ab", "abc"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda file: file.write_bytes(b"hello"), "is not a Holdfast store"),
        (lambda file: file.write_bytes(b""), "is not a Holdfast store"),
        (lambda file: sqlite3.connect(file).execute("CREATE TABLE t (a)").connection.close(),
         "is not a Holdfast store"),
        (lambda file: file.mkdir(), "Is a directory"),
    ],
    ids=["text", "empty", "sqlite", "folder"],
)  # fmt: skip
async def test_a_foreign_file_is_refused(tmp_path: Path, make: object, sentence: str) -> None:
    file = tmp_path / directory.FILE
    assert callable(make)
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    with pytest.raises(FatalStoreError, match=sentence):
        await RaftEngine(tmp_path, randbelow, cluster_id="test").start()
    assert (file.read_bytes() if file.is_file() else b"") == before


async def test_the_store_of_another_cluster_is_refused(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    before = content(path)
    with pytest.raises(FatalStoreError, match="belongs to cluster test, not other"):
        await RaftEngine(path, randbelow, cluster_id="other").start()
    assert content(path) == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    newer = image.SCHEMA_VERSION + 1
    change(path, f"PRAGMA user_version = {newer}")
    merge_wal(path)
    with pytest.raises(FatalStoreError, match=f"is of version {newer}"):
        await RaftEngine(path, randbelow).start()


async def test_a_lost_main_file_is_told(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    (path / directory.FILE).unlink()
    with pytest.raises(FatalStoreError, match=r"has store.db-wal but no store.db"):
        await RaftEngine(path, randbelow, cluster_id="test").start()
