"""backup save, inspect, restore as a person at a terminal meets them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Cluster


@pytest.fixture(scope="module")
def saved(here: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here.run("create", "configmap", "kept", "--from-literal=a=b")
    path = tmp_path_factory.mktemp("backup") / "cluster.backup"
    lines = here.run("backup", "save", str(path)).splitlines()
    assert lines[0].startswith("saved ") and lines[0].endswith(f" to {path}")
    assert lines[1].endswith(hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_only_its_owner_may_read_a_backup(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    assert list(saved.parent.iterdir()) == [saved]


def test_inspect_shows_what_is_in_it(here: Cluster, saved: Path) -> None:
    lines = here.run("backup", "inspect", str(saved)).splitlines()
    figures = dict(line.split(maxsplit=1) for line in lines if line)
    assert figures["File"] == str(saved)
    assert figures["SHA-256"].endswith("(verified)")
    assert int(figures["configmaps"]) >= 1
    assert "PRIVATE" not in "".join(lines)


def test_inspect_for_programs(here: Cluster, saved: Path) -> None:
    text = here.run("backup", "inspect", str(saved), "-o", "json")
    tree = json.loads(text)
    assert tree["verified"] is True and tree["bytes"] == saved.stat().st_size
    assert tree["objects"] == sum(tree["resources"].values())
    assert tree["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    status = here.run("cluster", "status")
    assert tree["clusterID"] in status and tree["version"] in status
    assert "PRIVATE" not in text


def test_a_newer_backup_replaces_an_older_one(here: Cluster, saved: Path, files: Path) -> None:
    path = files / "mine"
    path.write_bytes(saved.read_bytes())
    path.chmod(0o644)
    here.run("backup", "save", "mine")
    assert path.read_bytes() != saved.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    (files / "mine.part").write_bytes(b"left by a killed save, and longer than a backup" * 9999)
    here.run("backup", "save", "mine")
    here.run("backup", "inspect", "mine")
    assert list(files.iterdir()) == [path]


def test_a_save_costs_no_other_file(here: Cluster, files: Path) -> None:
    (files / "notes").write_text("mine")
    text = here.refused("backup", "save", "notes")
    assert text == "notes exists and is not a backup: choose another name"
    assert (files / "notes").read_text() == "mine"
    assert here.refused("backup", "save", ".") == ". is a directory: name a file"
    text = here.refused("backup", "save", "none/there")
    assert text == "none/there.part: No such file or directory: no backup was saved"
    assert [path.name for path in files.iterdir()] == ["notes"]


def test_two_saves_to_one_name(here: Cluster, files: Path) -> None:
    import fcntl

    with (files / "mine.part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        text = here.refused("backup", "save", "mine")
    assert text == "another save writes mine.part: wait until it has ended"
    assert (files / "mine.part").exists()


def test_without_a_cluster_nothing_is_written(files: Path) -> None:
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (files / "config").write_text(json.dumps(tree))
    nobody = Cluster(files / "config", 1)
    assert nobody.refused("backup", "save", "mine")
    assert [path.name for path in files.iterdir()] == ["config"]


def test_broken_files_are_named(here: Cluster, saved: Path, files: Path) -> None:
    whole = saved.read_bytes()
    broken = {
        "is not a Holdfast backup": b"something else",
        "is empty": b"",
        f"is cut off after {len(whole) - 1} bytes: its end is missing": whole[:-1],
        "is damaged: its SHA-256 is not the one at its end": whole[:-1] + b"\0",
    }
    for text, data in broken.items():
        (files / "a").write_bytes(data)
        assert here.refused("backup", "inspect", "a") == f"a {text}"
    assert here.refused("backup", "inspect", "none") == "none: No such file or directory"
    child = here.process("backup", "restore", "--data-dir", "new", "a")
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (1, "", f"error: a {text}\n")
    assert [path.name for path in files.iterdir()] == ["a"]


def test_restore_becomes_the_program_that_knows_the_store(
    here: Cluster, saved: Path, files: Path
) -> None:
    child = here.process("backup", "restore", str(saved), "--data-dir", "new")
    out, err = child.communicate(timeout=20)
    assert (child.returncode, err) == (0, "")
    assert out.splitlines()[-1] == f"start it: holdfast up --data-dir {files}/new"
    assert [path.name for path in Path("new").iterdir()] == ["control"]
    done = subprocess.run(["find", "new", "-perm", "/077"], capture_output=True, text=True)
    assert done.stdout == ""
    child = here.process("backup", "restore", str(saved), "--data-dir", "new")
    _, err = child.communicate(timeout=20)
    assert child.returncode == 1
    assert err.startswith(f"error: {files}/new/control exists already:")


def test_words_that_are_missing(here: Cluster) -> None:
    assert "Missing argument" in here.refused("backup", "save", code=2)
    assert "--data-dir" in here.refused("backup", "restore", "a", code=2)
