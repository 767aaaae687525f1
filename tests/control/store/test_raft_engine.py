"""A group of one: the suite of all engines, and what is its own: restarts, files, failures."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import stat
import time
from collections.abc import AsyncIterator
from itertools import chain, pairwise
from pathlib import Path
from secrets import randbelow

import pytest

from holdfast.control.store import retries
from holdfast.control.store.commands import ABSENT
from holdfast.control.store.engine import FatalStoreError, StoreError, UnknownOutcomeError
from holdfast.control.store.raft_engine import RaftEngine
from tests.control.store.conformance import PODS, Conformance, Told, batch, drop, key, put
from tests.control.store.directories import change, content, crashed_copy, reopened, stopped


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
