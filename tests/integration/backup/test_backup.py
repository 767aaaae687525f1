"""A backup of a working cluster, and the cluster that comes from it, as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.api import kubeconfig
from holdfast.api.client import Client, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

GAP = 1 << 32
NODES = 2


class Place:
    """A data directory of `up --runtime hollow`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = _free_port()

    def holdfast(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments), env=self.environment, capture_output=True, text=True, timeout=60
        )

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "holdfast.cli.main", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOLDFAST_DATA_DIR": str(self.data_dir),
            "KUBECONFIG": str(self.data_dir / "admin.kubeconfig"),
        }

    def up(self) -> None:
        flags = ("--runtime", "hollow", "--nodes", str(NODES), "--port", str(self.port))
        self.holdfast("up", "--detach", *flags)

    def connect(self) -> Client:
        return Client.connect(kubeconfig.load((self.data_dir / "admin.kubeconfig",)))

    def status(self) -> dict[str, str]:
        lines = self.holdfast("cluster", "status").splitlines()[:7]
        return dict(line.split(maxsplit=1) for line in lines)


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory with a short name: sockets have to fit below it."""
    with tempfile.TemporaryDirectory(prefix="hfb-") as found:
        yield Path(found)


@contextlib.contextmanager
def place(data_dir: Path) -> Iterator[Place]:
    found = Place(data_dir)
    try:
        yield found
    finally:
        if data_dir.exists():
            found.attempt("down", "--purge")
            assert not data_dir.exists()


def _free_port() -> int:
    """The first of three free ones in a row: API, joining, figures."""
    for port in range(20_000 + os.getpid() % 10_000, 60_000, 3):
        with contextlib.ExitStack() as opened:
            try:
                for number in range(port, port + 3):
                    one = opened.enter_context(socket.socket())
                    one.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


def settings(number: int) -> Any:
    message = core_pb2.ConfigMap(data={"n": str(number), "text": "x" * 500})
    message.metadata.namespace, message.metadata.name = "default", f"map-{number:05}"
    return message


async def write_on(client: Client, written: list[tuple[str, int]], enough: asyncio.Event) -> None:
    """Create ConfigMaps until cancelled, in batches; what is acknowledged is noted."""
    while True:
        start = len(written)
        maps = [settings(number) for number in range(start, start + 20)]
        outcomes = await client.batch([Write(WriteVerb.CREATE, "configmaps", m) for m in maps])
        assert not any(one.error for one in outcomes)
        written += [(m.metadata.name, one.revision) for m, one in zip(maps, outcomes, strict=True)]
        if len(written) >= 2000:
            enough.set()


async def save_under_writes(old: Place, file: Path) -> tuple[list[tuple[str, int]], int]:
    """A backup while a client writes: what was written in the end, and how many before it."""
    async with old.connect() as client:
        written: list[tuple[str, int]] = []
        enough = asyncio.Event()
        writing = asyncio.create_task(write_on(client, written, enough))
        await enough.wait()
        before = len(written)
        saving = await asyncio.create_subprocess_exec(
            *old.argv("backup", "save", str(file)), env=old.environment
        )
        assert await saving.wait() == 0
        assert not writing.done(), "a write failed while the backup was taken"
        assert len(written) > before, "nothing was written while the backup was taken"
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    return written, before


async def listed(client: Client, resource: str) -> dict[str, Any]:
    return {one.metadata.name: one for one in (await client.list(resource)).objects}


async def check_watch(client: Client, revision: int) -> None:
    """A resume point of the old cluster gets "too old"."""
    with pytest.raises(ApiError) as caught:
        async for _ in client.watch("configmaps", after=revision):
            break
    assert caught.value.reason is Reason.EXPIRED


async def test_a_cluster_from_a_backup_of_a_working_one(room: Path) -> None:
    file = room / "cluster.backup"
    with place(room / "old") as old, place(room / "new") as new:
        old.up()
        old.holdfast("create", "deployment", "web", "--image=localhost/x:1", "--replicas=4")
        old.holdfast("rollout", "status", "deployment/web", "--timeout=20s")
        old.holdfast("expose", "deployment/web", "--port=80")
        written, before = await save_under_writes(old, file)
        async with old.connect() as client:
            pods, services = await listed(client, "pods"), await listed(client, "services")
        old_id = old.status()["Cluster"]
        old.holdfast("down")

        tree = json.loads(old.holdfast("backup", "inspect", str(file), "-o", "json"))
        revision = tree["revision"]
        kept = {name for name, at in written if at <= revision}
        assert before <= len(kept) == tree["resources"]["configmaps"] < len(written)

        new.holdfast("backup", "restore", str(file), "--data-dir", str(new.data_dir))
        new.up()
        status = new.status()
        assert status["Cluster"] != old_id == tree["clusterID"]
        assert int(status["Revision"].split()[0]) > revision + GAP
        async with new.connect() as client:
            maps = await listed(client, "configmaps")
            assert set(maps) == kept
            wanted = {name: str(at) for name, at in written if at <= revision}
            assert {name: m.metadata.resourceVersion for name, m in maps.items()} == wanted
            restored = await listed(client, "pods")
            assert {n: p.metadata.uid for n, p in restored.items()} == {
                n: p.metadata.uid for n, p in pods.items()
            }
            now = await listed(client, "services")
            assert now["web"].spec.clusterIP == services["web"].spec.clusterIP
            for point in (1, revision, written[-1][1]):
                await check_watch(client, point)
            done = await client.create("configmaps", settings(99_999))
            assert int(done.metadata.resourceVersion) > revision + GAP
            # What was written after the backup is not there, and may be written again.
            await client.create("configmaps", settings(len(written) - 1))
        # The deployment is looked after by the new cluster's controllers.
        new.holdfast("scale", "deployment/web", "--replicas=6")
        new.holdfast("rollout", "status", "deployment/web", "--timeout=20s")
        # The old administrator's certificate is of the same authority.
        credentials = old.data_dir / "admin.kubeconfig"
        text = credentials.read_text().replace(f":{old.port}", f":{new.port}")
        credentials.write_text(text)
        assert old.status()["Cluster"] == status["Cluster"]


def test_a_running_or_stopped_cluster_is_not_overwritten(room: Path) -> None:
    file = room / "cluster.backup"
    with place(room / "old") as old:
        old.up()
        old.holdfast("backup", "save", str(file))
        for _ in range(2):
            done = old.attempt("backup", "restore", str(file), "--data-dir", str(old.data_dir))
            assert done.returncode == 1
            assert "control exists already" in done.stderr
            assert len(done.stderr.splitlines()) == 1
            old.holdfast("down")
        old.up()
        assert len(old.holdfast("get", "nodes").splitlines()) == NODES + 1


async def test_a_killed_save_or_control_node_costs_no_backup(room: Path) -> None:
    with place(room / "old") as old:
        old.up()
        async with old.connect() as client:
            for number in range(40):  # far more than is on the way at any moment
                message = settings(number)
                message.data.update({"text": "x" * 1_000_000})
                await client.create("configmaps", message)
        file = room / "kept" / "cluster.backup"
        file.parent.mkdir()
        old.holdfast("backup", "save", str(file))
        whole = file.read_bytes()

        saving = start_saving(old, file)
        saving.kill()
        assert saving.communicate() == ("", "")
        assert file.read_bytes() == whole

        saving = start_saving(old, file)
        saving.send_signal(signal.SIGINT)
        out, _ = saving.communicate(timeout=30)
        assert (saving.returncode, out) == (130, "")
        assert os.listdir(file.parent) == [file.name]  # noqa: PTH208
        assert file.read_bytes() == whole

        saving = start_saving(old, file)
        os.kill(control_of(old), signal.SIGKILL)
        out, err = saving.communicate(timeout=30)
        assert (saving.returncode, out) == (1, "")
        address = f"127.0.0.1:{old.port}"
        assert err == (
            f"error: the control node at {address} went away: no backup was saved, try again\n"
        )
        assert file.read_bytes() == whole
        assert os.listdir(file.parent) == [file.name]  # noqa: PTH208


def start_saving(old: Place, file: Path) -> subprocess.Popen[str]:
    """A save that has begun to receive."""
    side = file.with_name(f"{file.name}.part")
    side.unlink(missing_ok=True)  # of the one killed before
    saving = subprocess.Popen(
        old.argv("backup", "save", str(file)),
        env=old.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + 30
    while not (side.exists() and side.stat().st_size):
        assert time.monotonic() < ends and saving.poll() is None
        time.sleep(0.002)
    return saving


def control_of(old: Place) -> int:
    """The process id of the control node."""
    wanted = [b"holdfast.control", b"--data-dir", f"{old.data_dir}/control".encode()]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[2:5] == wanted:
                return int(path.parent.name)
    raise AssertionError("no control node runs")


@pytest.fixture
def small_disk(room: Path) -> Iterator[Path]:
    mount = room / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


async def test_a_full_disk_gets_one_sentence(room: Path, small_disk: Path) -> None:
    with place(room / "old") as old:
        old.up()
        async with old.connect() as client:
            for number in range(10):
                message = settings(number)
                message.data.update({"text": "x" * 400_000})
                await client.create("configmaps", message)
        done = old.attempt("backup", "save", str(small_disk / "a"))
        assert done.returncode == 1
        text = "No space left on device: no backup was saved"
        assert done.stderr == f"error: {small_disk / 'a'}: {text}\n"
        assert os.listdir(small_disk) == []  # noqa: PTH208
        file = room / "a"
        old.holdfast("backup", "save", str(file))
        done = old.attempt("backup", "restore", str(file), "--data-dir", str(small_disk / "new"))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1 and "full" in done.stderr
        assert os.listdir(small_disk) == []  # noqa: PTH208
