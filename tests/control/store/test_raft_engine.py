"""A group of one: the suite of all engines, and what is its own: restarts, files, refusals."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import chain, pairwise
from pathlib import Path
from secrets import randbelow

import pytest

from holdfast.control.store import directory, image, records, retries
from holdfast.control.store.commands import ABSENT, Compact, Row
from holdfast.control.store.engine import (
    FatalStoreError,
    StoreError,
    UnknownOutcomeError,
)
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.store.conformance import PODS, Conformance, Told, batch, drop, key, put


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def engine(tmp_path: Path, told: Told) -> AsyncIterator[RaftEngine]:
    engine = RaftEngine(tmp_path / "data", randbelow, cluster_id="test")
    engine.listen(told)
    await engine.start()
    yield engine
    await engine.stop()


class TestRaftEngine(Conformance):
    """The suite."""


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


async def test_everything_is_there_after_a_restart(engine: RaftEngine, tmp_path: Path) -> None:
    await engine.commit(batch(put("a"), put("b"), put("c", b"")))
    await engine.commit(batch(drop("b"), put("a", b"w")))
    await engine.compact(2)
    rows, revision, status = engine.rows(PODS), engine.revision, engine.status()
    history = await engine.history(2, 100)
    await engine.stop()
    again = RaftEngine(tmp_path / "data", randbelow, cluster_id="test")
    told = Told()
    again.listen(told)
    await again.start()
    assert (again.rows(PODS), again.revision) == (rows, revision)
    assert again.status()._replace(term=0, database_bytes=0) == status._replace(
        term=0, database_bytes=0
    )
    assert again.status().term > status.term
    assert await again.history(2, 100) == history
    assert [(one.key, one.value, one.created) for one in told.changes] == [
        (row.key, row.value, row.created) for row in sorted(rows, key=lambda row: row.revision)
    ]
    await again.stop()


async def test_rows_behind_are_replayed_from_the_log(engine: RaftEngine, tmp_path: Path) -> None:
    for n in range(5):
        await engine.commit(batch(put(f"a{n}"), commit_id=b"%016d" % n))
        copy = await crashed_copy(engine, tmp_path / "data")
        rows, revision, _ = await reopened(copy)
        assert (rows, revision) == (engine.rows(PODS), engine.revision)


async def test_a_repeat_after_a_crash_happens_once(engine: RaftEngine, tmp_path: Path) -> None:
    commit = batch(put("a", expect=ABSENT), commit_id=b"0123456789abcdef")
    first = await engine.commit(commit)
    copy = await crashed_copy(engine, tmp_path / "data")
    await asyncio.sleep(0.1)
    later = shutil.copytree(tmp_path / "data", tmp_path / "later")
    for path in (copy, later):
        again = RaftEngine(path, randbelow)
        await again.start()
        assert again.recall(commit.id, 1) == first
        assert await again.commit(commit) == first
        await again.stop()


async def test_ids_older_than_the_table_are_unknown(
    engine: RaftEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "RESULTS_MAX", 3)
    monkeypatch.setattr(retries, "SPENT_MAX", 4)
    for n in range(10):
        await engine.commit(batch(put("a"), commit_id=b"%016d" % n))
        await asyncio.sleep(0.03 if n % 3 == 0 else 0)
    await engine.stop()
    again = RaftEngine(tmp_path / "data", randbelow)
    await again.start()
    for n in range(3, 7):
        with pytest.raises(UnknownOutcomeError):
            await again.commit(batch(put("a"), commit_id=b"%016d" % n))
    revision = again.revision
    for n in range(7, 10):
        assert (await again.commit(batch(put("a"), commit_id=b"%016d" % n))).outcomes
    assert again.revision == revision
    await again.stop()


async def test_a_large_batch_is_recalled_whole(engine: RaftEngine) -> None:
    writes = [put(f"{n:05}") for n in range(600)]
    commit = batch(*writes, commit_id=b"0123456789abcdef")
    assert engine.recall(commit.id, 600) is None
    first = await engine.commit(commit)
    assert engine.recall(commit.id, 600) == first
    with pytest.raises(UnknownOutcomeError, match="another one"):
        engine.recall(commit.id, 601)


async def test_an_id_used_for_other_writes_is_told(engine: RaftEngine) -> None:
    await engine.commit(batch(put("a"), commit_id=b"0123456789abcdef"))
    with pytest.raises(UnknownOutcomeError):
        await engine.commit(batch(put("a"), put("b"), commit_id=b"0123456789abcdef"))


async def test_compaction_leaves_state_and_drops_history(
    engine: RaftEngine, tmp_path: Path
) -> None:
    writes = [(put("a", b"%d" % n), put(f"b{n}"), drop(f"b{n}")) for n in range(200)]
    await engine.commit(batch(*chain.from_iterable(writes)))
    await engine.compact(engine.revision - 3)
    await engine.commit(batch(put("c")))
    await asyncio.sleep(0.3)
    rows = engine.rows(PODS)
    await engine.stop()
    found = content(tmp_path / "data")
    assert len(found["changes"]) <= 6
    assert len(found["log"]) == 1
    assert (await reopened(tmp_path / "data"))[0] == rows


async def test_files_are_private(engine: RaftEngine, tmp_path: Path) -> None:
    await engine.commit(batch(put("a")))
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert "store.db-wal" in modes


async def test_a_second_process_is_refused(engine: RaftEngine, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
        await RaftEngine(tmp_path / "data", randbelow).start()
    await engine.commit(batch(put("a")))


async def test_an_empty_directory_needs_a_cluster_id(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no cluster id"):
        await RaftEngine(tmp_path / "new", randbelow).start()


async def test_a_large_batch_lets_others_run(engine: RaftEngine) -> None:
    """Measured in CPU time of the loop's thread without garbage collection, so that neither a
    busy machine nor the other tests' objects count."""
    turns: list[float] = []

    async def count_turns() -> None:
        while True:
            turns.append(time.thread_time())
            await asyncio.sleep(0)

    gc.disable()
    try:
        task = asyncio.create_task(count_turns())
        await engine.commit(batch(*(put(str(n), b"v" * 100) for n in range(10_000))))
        task.cancel()
    finally:
        gc.enable()
    longest = max(after - before for before, after in pairwise(turns))
    assert longest < 0.03


# What cannot be opened: one sentence that names the file, and nothing is changed.


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


# A failure that leaves the disk unknown.


async def test_a_listener_that_raises_ends_the_engine(engine: RaftEngine) -> None:
    def broken(_changes: object) -> None:
        raise RuntimeError("broken listener")

    engine.listen(broken)
    with pytest.raises(UnknownOutcomeError, match="may or may not"):
        await engine.commit(batch(put("a")))
    with pytest.raises(FatalStoreError, match="broken listener"):
        await engine.until_failed()
    with pytest.raises(StoreError):
        await engine.commit(batch(put("b")))


async def test_a_damaged_image_ends_the_engine(engine: RaftEngine, tmp_path: Path) -> None:
    await engine.commit(batch(put("a")))
    change(tmp_path / "data", "DROP TABLE log")
    with pytest.raises(UnknownOutcomeError):
        await engine.commit(batch(put("b")))
    with pytest.raises(FatalStoreError, match=r"store.db failed"):
        await engine.until_failed()
    assert engine.row(key("b")) is None


@pytest.mark.parametrize("turns", [0, 1, 3, 7, 20, 60])
async def test_a_stop_under_writes_loses_nothing_answered(tmp_path: Path, turns: int) -> None:
    engine = RaftEngine(tmp_path, randbelow, cluster_id="test")
    await engine.start()
    commits = []
    for n in range(40):
        commits.append(asyncio.create_task(engine.commit(batch(put(f"a{n}"), put(f"b{n}")))))
        for _ in range(turns):
            await asyncio.sleep(0)
    await engine.stop()
    answers = await asyncio.gather(*commits, return_exceptions=True)
    rows, revision, _ = await reopened(tmp_path)
    found = {row.key.name: row.revision for row in rows}
    assert revision == len(rows)
    for n, answer in enumerate(answers):
        assert isinstance(answer, tuple | StoreError)
        if isinstance(answer, tuple):
            assert [one.revision for one in answer[0]] == [found[f"a{n}"], found[f"b{n}"]]


async def test_a_listener_that_raises_at_the_start_leaves_nothing_open(tmp_path: Path) -> None:
    path = await stopped(tmp_path)
    engine = RaftEngine(path, randbelow)
    engine.listen(lambda _changes: 1 / 0)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await engine.start()
    assert len((await reopened(path))[0]) == 3


async def test_a_write_that_no_message_could_carry_is_refused(engine: RaftEngine) -> None:
    with pytest.raises(StoreError, match="too large: at most 3 MiB"):
        await engine.commit(batch(put("a", bytes(4 << 20))))
    assert (await engine.commit(batch(put("b", bytes(2 << 20))))).outcomes[0].refusal is None
