"""A disk that is really full: commits are refused in one sentence, and work again with space."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import randbelow

import pytest

from holdfast.control.store.commands import ABSENT, ANY, Commit, Key, Write
from holdfast.control.store.engine import DiskFullError, StoreError
from holdfast.control.store.raft_engine import RaftEngine

pytestmark = pytest.mark.integration


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def commit(name: str, size: int = 200_000) -> Commit:
    return Commit(b"", [Write(Key("pods", "", name), bytes(size), ABSENT)])


async def test_a_full_disk_refuses_commits_until_there_is_space(small_disk: Path) -> None:
    engine = RaftEngine(small_disk / "data", randbelow, cluster_id="test")
    await engine.start()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(3 << 20))
    done = 0
    with pytest.raises(DiskFullError, match=f"the disk of {small_disk / 'data'} is full"):
        for _ in range(100):
            await engine.commit(commit(f"a{done}"))
            done += 1
    assert 0 < done < 50
    await asyncio.sleep(0.1)  # the rows behind are tried, and refused too
    revision = engine.revision
    for _ in range(3):
        with pytest.raises(StoreError):
            await engine.commit(commit("refused"))
    assert engine.revision == revision == done
    assert len(await engine.history(0, 100)) == done
    ballast.unlink()
    result = await engine.commit(commit("b", 1000))
    assert result.outcomes[0].refusal is None
    await engine.stop()
    again = RaftEngine(small_disk / "data", randbelow)
    await again.start()
    names = {row.key.name for row in again.rows("pods")}
    assert names == {f"a{n}" for n in range(done)} | {"b"}
    await again.stop()


async def test_a_store_opens_and_reads_on_a_full_disk(small_disk: Path) -> None:
    engine = RaftEngine(small_disk / "data", randbelow, cluster_id="test")
    await engine.start()
    await engine.commit(commit("a", 1000))
    await engine.stop()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    engine = RaftEngine(small_disk / "data", randbelow)
    try:
        await engine.start()
    except DiskFullError as error:
        assert "is full" in str(error)
        ballast.unlink()
        await engine.start()
    assert engine.row(Key("pods", "", "a")) is not None
    ballast.unlink(missing_ok=True)
    await engine.commit(Commit(b"", [Write(Key("pods", "", "a"), None, ANY)]))
    await engine.stop()
