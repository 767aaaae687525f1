"""Several control nodes as processes: the leader killed under writes, handed over, taken out."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from tests.integration.cluster.machine import Machine, machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEADLINE_S = 40.0
GAP_S = 4.0
"""Longer than any election, on a machine that is busy with other things."""
WRITERS = 4
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: web}]}
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    """Three control nodes, three hollow nodes, six pods."""
    with machine("ctl") as found:
        shown = found.holdfast("up", "--detach", "--control", "3", *HOLLOW)
        assert all(f"control-{number} votes" in shown for number in (1, 2, 3))
        found.holdfast("apply", "-f", "-", stdin=WEB)
        found.holdfast("rollout", "status", "deployment/web", "--timeout=30s")
        yield found


HOLLOW = ("--runtime", "hollow", "--nodes", "3")


def roles(here: Machine) -> dict[str, str]:
    """Name → role, as `member list` shows it."""
    rows = here.holdfast("member", "list").splitlines()[1:]
    return {row.split()[0]: row.split()[2] for row in rows}


def leader(here: Machine) -> str:
    """The name of the leader."""
    until(lambda: "leader" in roles(here).values(), "somebody leads")
    return next(name for name, role in roles(here).items() if role == "leader")


def pid_of(here: Machine, name: str) -> int:
    """The process of a control node."""
    for pid in here.pids("holdfast.control"):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if words[words.index("--name") + 1] == name:
            return pid
    raise AssertionError(f"{name} does not run")


def until(condition: Any, what: str) -> None:
    """Wait for something that no watch of ours can see; bounded."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)


def pods(here: Machine) -> dict[str, Any]:
    """uid → status of the pods of `web`."""
    items = json.loads(here.holdfast("get", "pods", "-l", "app=web", "-o", "json"))["items"]
    return {pod["metadata"]["uid"]: pod["status"] for pod in items}


def untouched(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the same pods run, and were never made anew."""
    return before.keys() == after.keys() and all(
        status["phase"] == "Running" and status["containerStatuses"][0]["restartCount"] == 0
        for status in after.values()
    )


class Writing:
    """Clients that write until told to stop, over the test machine's namespace."""

    def __init__(self, run: str) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[ApiError] = []
        self.gap_s = 0.0
        self._run = run
        self._more = asyncio.Event()
        self._last = time.monotonic()

    async def write(self, client: Client, number: int, stop: asyncio.Event) -> None:
        count = 0
        while not stop.is_set():
            message = core.ConfigMap()
            message.metadata.name = f"{self._run}-{number}-{count}"
            message.metadata.namespace = "default"
            count += 1
            try:
                await client.create("configmaps", message)
            except ApiError as error:
                self.failed.append(error)
                continue
            now = time.monotonic()
            self.gap_s, self._last = max(self.gap_s, now - self._last), now
            self.acknowledged.append(message.metadata.name)
            self._more.set()

    async def until(self, count: int) -> None:
        """Until so many are acknowledged."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.acknowledged) < count:
                self._more.clear()
                await self._more.wait()


def enter(here: Machine) -> int:
    """Into the machine's network; what leads back out of it."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    inside = os.open(f"/run/netns/{here.namespace}", os.O_RDONLY)
    assert _setns(inside) == 0
    os.close(inside)
    return outside


def _setns(descriptor: int) -> int:
    import ctypes

    return int(ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000))


async def killed_under_writes(here: Machine, pid: int) -> tuple[Writing, set[str]]:
    """Write, kill a control node, write on; what was told, and what is there afterwards."""
    writing = Writing(f"killed-{pid}")
    endpoint = kubeconfig.load((Path(here.environment["KUBECONFIG"]),))
    stop = asyncio.Event()
    async with Client.connect(endpoint) as client:
        tasks = [
            asyncio.create_task(writing.write(client, number, stop)) for number in range(WRITERS)
        ]
        await writing.until(20)
        os.kill(pid, signal.SIGKILL)
        await writing.until(len(writing.acknowledged) + 200)
        stop.set()
        await asyncio.gather(*tasks)
        listed = await client.list("configmaps", "default")
    return writing, {one.metadata.name for one in listed.objects}


def test_a_killed_leader_costs_no_acknowledged_write(here: Machine) -> None:
    before, victim = pods(here), leader(here)
    outside = enter(here)
    try:
        writing, there = asyncio.run(killed_under_writes(here, pid_of(here, victim)))
    finally:
        assert _setns(outside) == 0
        os.close(outside)
    assert set(writing.acknowledged) <= there, "acknowledged writes are lost"
    assert not writing.failed, writing.failed
    assert writing.gap_s < GAP_S
    assert len(writing.acknowledged) == len(set(writing.acknowledged))
    assert leader(here) != victim
    until(lambda: here.pids("holdfast.control").__len__() == 3, "the killed one is back")
    assert untouched(before, pods(here))
    nodes = json.loads(here.holdfast("get", "nodes", "-o", "json"))["items"]
    assert not [node for node in nodes if node["spec"].get("taints")], "a node was taken for dead"


def test_the_new_leader_controls_and_schedules(here: Machine) -> None:
    successor = next(name for name, role in roles(here).items() if role == "voter")
    here.holdfast("member", "transfer", successor)
    for replicas in (9, 6):
        here.holdfast("scale", "deployment/web", f"--replicas={replicas}")
        here.holdfast("rollout", "status", "deployment/web", "--timeout=30s")
        until(lambda wanted=replicas: len(pods(here)) == wanted, f"{replicas} pods")


def test_a_member_that_was_killed_comes_back_level(here: Machine) -> None:
    victim = next(name for name, role in roles(here).items() if role == "voter")
    os.kill(pid_of(here, victim), signal.SIGKILL)
    here.holdfast("create", "configmap", "meanwhile", "--from-literal=a=b")
    until(lambda: len(here.pids("holdfast.control")) == 3, "it is back")

    def level() -> bool:
        rows = here.holdfast("member", "list").splitlines()[1:]
        return all("100 %" in row for row in rows)

    until(level, "it has the whole log")


def test_leadership_is_handed_over_on_request(here: Machine) -> None:
    successor = next(name for name, role in roles(here).items() if role == "voter")
    assert f"control node {successor} leads" in here.holdfast("member", "transfer", successor)
    assert leader(here) == successor
    assert 'there is no control node "nobody"' in here.refused("member", "transfer", "nobody")
    assert "votes already" in here.refused("member", "promote", successor)
    status = here.holdfast("cluster", "status")
    assert status.count("voter") == 2
    assert status.count("leader") == 1


def test_members_leave_and_the_last_one_is_recovered() -> None:
    with machine("rec") as here:
        here.holdfast("up", "--detach", "--control", "3", *HOLLOW)
        here.holdfast("apply", "-f", "-", stdin=WEB)
        here.holdfast("rollout", "status", "deployment/web", "--timeout=30s")
        before = pods(here)
        stop_and_start(here)
        kept = take_the_leader_out(here)
        until(lambda: untouched(before, pods(here)), "the pods run on")
        recover(here, kept)


def stop_and_start(here: Machine) -> None:
    """The data of all survives, and nobody needs a token again."""
    before = roles(here).keys()
    here.holdfast("down")
    here.holdfast("up", "--detach")
    assert roles(here).keys() == before


def take_the_leader_out(here: Machine) -> str:
    """Returns who leads then."""
    gone = leader(here)
    assert f"control node {gone} removed" in here.holdfast("member", "remove", gone)
    assert gone not in roles(here)
    here.holdfast("create", "configmap", "after", "--from-literal=a=b")
    assert f'there is no control node "{gone}"' in here.refused("member", "remove", gone)
    return leader(here)


def recover(here: Machine, kept: str) -> None:
    """Of all control nodes, one's data is left; a cluster runs on it again."""
    here.holdfast("down")
    number = int(kept.rpartition("-")[2])
    directory = here.data_dir / ("control" if number == 1 else f"control-{number}")
    sentence = here.refused("recover", "--data-dir", str(directory), "--yes")
    assert "--force-new-cluster" in sentence
    flags = ("recover", "--force-new-cluster", "--data-dir", str(directory))
    assert "Go on?" in here.refused(*flags)
    assert "of one control node" in here.holdfast(*flags, "--yes")
    nowhere = here.refused("recover", "--force-new-cluster", "--yes", "--data-dir", "/nowhere")
    assert "holds no data of a control node" in nowhere
    for name in ("control", "control-2", "control-3"):
        if (here.data_dir / name) != directory:
            shutil.rmtree(here.data_dir / name)
    if number != 1:
        directory.rename(here.data_dir / "control")
    here.holdfast("up", "--detach")
    assert len(roles(here)) == 3, "the others joined anew"
    assert "after" in here.holdfast("get", "configmaps")
    until(lambda: len(pods(here)) == 6, "the pods are known")


def test_a_founder_gets_company() -> None:
    """`up` with one control node, then with three."""
    with machine("one") as here:
        here.holdfast("up", "--detach", *HOLLOW)
        assert list(roles(here).values()) == ["leader"]
        assert "--join hf1." in here.holdfast("member", "add")
        here.holdfast("down")
        assert "control-3 votes" in here.holdfast("up", "--detach", "--control", "3")
        here.holdfast("down")
        assert "not fewer" in here.refused("up", "--detach", "--control", "1")
        assert "must be 1, 3 or 5" in here.refused("up", "--detach", "--control", "4")
