"""A data directory from a backup file: whole, or nothing and one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.api.backup.format import Encoder
from holdfast.api.backup.v1.backup_pb2 import Authority, Header, Object
from holdfast.control.restore import RestoreError, restore
from holdfast.control.store import directory
from holdfast.control.store.backup.writing import GAP
from holdfast.control.store.commands import Key, Row
from holdfast.control.store.engine import StoreError
from holdfast.control.store.replicated.opening import Founding
from tests.control.registry.world import world

FOUNDING = Founding("test", 5, (5,))  # the id that `world` opens
AUTHORITY = Authority(certificate_pem=b"certificate\n", key_pem=b"key\n")


def backup_bytes(objects: int = 3, authority: Authority | None = AUTHORITY) -> bytes:
    encoder = Encoder()
    header = Header(cluster_id="old", revision=90, authority=authority)
    found = [
        Object(namespace="default", name=f"{n:05}", revision=n + 1, created=1, value=b"v")
        for n in range(objects)
    ]
    return b"".join([encoder.begin(header), *encoder.objects("~pods", found), encoder.end()])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.backup"
    path.write_bytes(backup_bytes())
    return path


async def test_a_backup_becomes_a_data_directory(file: Path, tmp_path: Path) -> None:
    where = tmp_path / "deep" / "new"
    done = restore(file, where, FOUNDING)
    assert done == (3, "old", 90, 90 + GAP)
    control = where / "control"
    assert [path.name for path in where.iterdir()] == ["control"]
    assert (control / "authority/ca.pem").read_bytes() == b"certificate\n"
    assert (control / "authority/ca.key").read_bytes() == b"key\n"
    for path in (where, control, control / "authority"):
        assert path.stat().st_mode & 0o777 == 0o700, path
    for path in control.rglob("*.*"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    async with world(control, booted=False) as there:
        assert there.engine.revision == 90 + GAP
        rows = there.engine.rows("~pods")
        assert rows == [Row(Key("~pods", "default", f"{n:05}"), b"v", n + 1, 1) for n in range(3)]


def refused(file: Path, where: Path) -> str:
    """The sentence of a restore that fails; it leaves everything as it was."""
    before = sorted(where.rglob("*")) if where.exists() else None
    with pytest.raises((RestoreError, StoreError)) as caught:
        restore(file, where, FOUNDING)
    assert (sorted(where.rglob("*")) if where.exists() else None) == before
    return str(caught.value)


def test_an_existing_data_directory_is_refused(file: Path, tmp_path: Path) -> None:
    where = tmp_path / "there"
    restore(file, where, FOUNDING)
    assert refused(file, where) == (
        f"{where}/control exists already: a backup is restored into a new data directory"
    )


def test_what_lies_beside_the_control_nodes_data_stays(file: Path, tmp_path: Path) -> None:
    """The control node's disk was lost, the nodes' directories were not."""
    where = tmp_path / "there"
    (where / "control").mkdir(parents=True)
    (where / "nodes").mkdir()
    restore(file, where, FOUNDING)
    assert sorted(path.name for path in where.iterdir()) == ["control", "nodes"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a backup, by any means")
    where = tmp_path / "new"
    assert refused(other, where) == f"{other} is not a Holdfast backup"
    assert "No such file" in refused(tmp_path / "none", where)
    assert "Is a directory" in refused(tmp_path, where)
    bare = tmp_path / "bare"
    bare.write_bytes(backup_bytes(authority=None))
    assert refused(bare, where) == f"{bare} lacks the key of the cluster's authority"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_backup_leaves_nothing(tmp_path: Path, data: st.DataObject) -> None:
    whole = backup_bytes(40)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = data.draw(st.booleans())
    damaged = tmp_path / "damaged"
    byte = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    damaged.write_bytes(whole[:at] + byte + whole[at + 1 :] if changed else whole[:at])
    assert refused(damaged, tmp_path / "new").startswith(f"{damaged} is ")


async def test_what_a_killed_restore_left_is_cleared_away(file: Path, tmp_path: Path) -> None:
    where = tmp_path / "new"
    beside = where / "control.restoring"
    (beside / "authority").mkdir(parents=True)
    for name in ("store.db", "store.db.new", "authority/ca.key"):
        (beside / name).write_bytes(b"half")
    restore(file, where, FOUNDING)
    assert [path.name for path in where.iterdir()] == ["control"]
    async with world(where / "control", booted=False) as there:
        assert len(there.engine.rows("~pods")) == 3


def test_two_restores_into_one_place_do_not_mix(file: Path, tmp_path: Path) -> None:
    where = tmp_path / "new"
    lock = directory.claim(where / "control.restoring")
    try:
        assert "is in use by process" in refused(file, where)
    finally:
        directory.release(lock)


def test_the_program(file: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "holdfast.control.restore", "--cluster-id", "test"]
    done = subprocess.run(
        [*argv, "--member", "5", "--data-dir", tmp_path / "new", file],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"restored 3 objects at revision 90 from {file}",
        f"cluster old became test, revision {90 + GAP}",
        f"start it: holdfast up --data-dir {tmp_path / 'new'}",
    ]
    again = subprocess.run(
        [*argv, "--member", "5", "--data-dir", tmp_path / "new", file],
        capture_output=True,
        text=True,
    )
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("error: ") and len(again.stderr.splitlines()) == 1
