"""Neither engine starts on a data directory of the other's."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from holdfast.control.group import marker
from holdfast.control.group.marker import Marker
from holdfast.control.store.engine import StoreError
from holdfast.control.store.raft_engine import RaftEngine

ONE = Marker("cluster-1", 7, "control-1")


async def _own_store(path: Path) -> None:
    engine = RaftEngine(path, secrets.randbelow, cluster_id="old")
    await engine.start()
    await engine.stop()


def test_an_empty_directory_is_anybodys(tmp_path: Path) -> None:
    assert marker.on_etcd(tmp_path) is None
    marker.check_own_store(tmp_path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    marker.write(tmp_path, ONE)
    assert marker.read(tmp_path) == marker.on_etcd(tmp_path) == ONE
    assert (tmp_path / marker.FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="whose state is on an etcd"):
        marker.check_own_store(tmp_path)
    marker.remove(tmp_path)
    marker.check_own_store(tmp_path)


def test_a_start_that_never_succeeded_binds_nobody(tmp_path: Path) -> None:
    marker.write(tmp_path, ONE._replace(cluster_id=""))
    marker.check_own_store(tmp_path)
    assert marker.read(tmp_path) is None


async def test_a_store_of_its_own_is_not_started_on_etcd(tmp_path: Path) -> None:
    await _own_store(tmp_path)
    marker.check_own_store(tmp_path)
    with pytest.raises(StoreError, match="holds a store of its own: move it with"):
        marker.on_etcd(tmp_path)


async def test_a_cluster_that_was_moved_starts_there_only(tmp_path: Path) -> None:
    """The old store stays beside the marker."""
    await _own_store(tmp_path)
    marker.write(tmp_path, Marker("cluster-2"))
    assert marker.on_etcd(tmp_path) == Marker("cluster-2")
    with pytest.raises(StoreError, match="whose state is on an etcd"):
        marker.check_own_store(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cluster_id": "x", "member": "y", "name": ""}'])
def test_a_damaged_one_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / marker.FILE).write_text(text)
    with pytest.raises(StoreError, match="cannot be read"):
        marker.on_etcd(tmp_path)
