"""Control nodes as processes on Debian's etcd: the leader killed under writes, wrong starts."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.cluster.machine import ROOT, Machine, machine
from tests.integration.cluster.test_control_nodes import (
    HOLLOW,
    WEB,
    _setns,
    enter,
    killed_under_writes,
    leader,
    pid_of,
    pods,
    roles,
    until,
    untouched,
)
from tests.integration.store.etcd_servers import EtcdServers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

GAP_S = 6.0
"""A lease that nobody renews, and who takes it then."""


@contextmanager
def inside(here: Machine) -> Iterator[None]:
    """This thread, and what it starts, in the machine's network."""
    outside = enter(here)
    try:
        yield
    finally:
        assert _setns(outside) == 0
        os.close(outside)


@contextmanager
def etcd(here: Machine, directory: Path) -> Iterator[str]:
    """An etcd on the machine; how `--store` names it."""
    with inside(here):
        servers = EtcdServers(directory)
        try:
            servers.start()
            yield_to = f"etcd://{servers.hosts}"
        except BaseException:
            servers.stop()
            raise
    try:
        yield yield_to
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Three control nodes on one etcd, three hollow nodes, six pods."""
    with machine("etc") as found, etcd(found, tmp_path_factory.mktemp("etcd")) as store:
        shown = found.holdfast("up", "--detach", "--control", "3", "--store", store, *HOLLOW)
        assert "control-1 runs" in shown
        found.holdfast("apply", "-f", "-", stdin=WEB)
        found.holdfast("rollout", "status", "deployment/web", "--timeout=60s")
        yield found


def test_a_killed_leader_costs_no_acknowledged_write(here: Machine) -> None:
    assert sorted(roles(here).values()) == ["leader", "voter", "voter"]
    before, victim = pods(here), leader(here)
    with inside(here):
        writing, there = asyncio.run(killed_under_writes(here, pid_of(here, victim)))
    assert set(writing.acknowledged) <= there, "acknowledged writes are lost"
    assert not writing.failed, writing.failed
    assert writing.gap_s < GAP_S
    assert leader(here), "the one that was killed may lead again: it is back before its lease ends"
    until(lambda: len(here.pids("holdfast.control")) == 3, "the killed one is back")
    here.holdfast("scale", "deployment/web", "--replicas=7")
    here.holdfast("rollout", "status", "deployment/web", "--timeout=60s")
    here.holdfast("scale", "deployment/web", "--replicas=6")
    until(lambda: len(pods(here)) == 6, "six pods")
    assert len(pods(here).keys() & before.keys()) >= 5
    until(lambda: untouched(pods(here), pods(here)), "all run")


def test_what_has_no_meaning_is_refused(here: Machine) -> None:
    leads = leader(here)
    follower = next(name for name, role in roles(here).items() if role == "voter")
    assert "nobody to promote" in here.refused("member", "promote", follower)
    assert "another one leads at once" in here.refused("member", "transfer", follower)
    assert "stop it first" in here.refused("member", "remove", leads)
    assert "--store etcd://" in here.holdfast("member", "add")


def test_it_goes_on_after_a_stop_and_not_without_its_etcd(here: Machine) -> None:
    before = roles(here).keys()
    here.holdfast("down")
    assert "whose state is on an etcd" in here.refused("up", "--detach", "--store", "raft")
    wrong = here.refused("up", "--detach", "--store", "etcd://127.0.0.1:http")
    assert "--store: '127.0.0.1:http': 'http' is not a port" in wrong
    assert "must be raft or begin with etcd://" in here.refused("up", "--store", "redis://x")
    here.holdfast("up", "--detach", "--store", _store(here))
    assert roles(here).keys() == before
    until(lambda: len(pods(here)) == 6, "the pods are known")


def _store(here: Machine) -> str:
    """What the control nodes were told before; the newest line that says it."""
    lines = (here.data_dir / "logs" / "control.log").read_text().splitlines()
    found = [line for line in lines if "store opened" in line]
    return "etcd://" + found[-1].partition("etcd at ")[2].partition('"')[0].split()[0]


def test_a_control_node_of_another_cluster_does_not_start(tmp_path: Path) -> None:
    with machine("eto") as there, etcd(there, tmp_path / "etcd") as store:
        first = tmp_path / "first"
        kubeconfig = there.data_dir / "admin.kubeconfig"
        flags = ("--store", store, "--port", "6444")
        with running(there, first, *flags, "--kubeconfig", str(kubeconfig)):
            until(kubeconfig.exists, "it serves")
            there.holdfast("create", "configmap", "kept", "--from-literal=a=b")
            _refuse_strangers(there, tmp_path, store)
            copy = tmp_path / "copy"
            shutil.copytree(first, copy)
            with running(there, copy, "--store", store, "--port", "6464", "--name", "copy"):
                until(lambda: len(roles(there)) == 2, "the copy is known")
                assert "is in use by process" in _control(there, first, *flags)
                name = ("--name", "control-1", "--port", "6484")
                again = tmp_path / "again"
                shutil.copytree(copy, again)
                assert "another control node is called" in _control(
                    there, again, "--store", store, *name
                )
            assert "kept" in there.holdfast("get", "configmaps")
        assert "holds no cluster below /else" in _control(there, first, "--store", f"{store}/else")
        shutil.rmtree(there.data_dir)  # no `up` made it


def _refuse_strangers(there: Machine, tmp_path: Path, store: str) -> None:
    new = tmp_path / "new"
    assert "join it with --join" in _control(there, new, "--store", store, "--port", "6454")
    token = there.holdfast("member", "add").partition("--join ")[2].strip()
    joining = ("--join", token, "--name", "new", "--port", "6454")
    assert "start the new control node with --store" in _control(there, new, *joining)
    founder = ("--store", f"{store}/mine", "--port", "6454")
    with running(there, tmp_path / "mine", *founder, "--kubeconfig", str(tmp_path / "mine.kc")):
        until((tmp_path / "mine.kc").exists, "another cluster on the same etcd")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(tmp_path / "mine" / "authority", other / "authority")
    assert "have another authority" in _control(there, other, "--store", store, "--port", "6454")
    wrong = _control(there, tmp_path / "mine", "--store", store, "--port", "6454")
    assert "holds cluster" in wrong


def _argv(there: Machine, directory: Path, *flags: str) -> list[str]:
    program = (sys.executable, "-m", "holdfast.control", "--data-dir", str(directory))
    return ["nsenter", f"--net=/run/netns/{there.namespace}", *program, *flags]


def _control(there: Machine, directory: Path, *flags: str) -> str:
    """The one error sentence of a control node that does not start."""
    done = subprocess.run(
        _argv(there, directory, *flags), capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def running(there: Machine, directory: Path, *flags: str) -> Iterator[None]:
    """A control node that runs meanwhile; its end is in good order."""
    with (directory.parent / f"{directory.name}.log").open("w") as log:
        process = subprocess.Popen(
            _argv(there, directory, *flags), stdout=log, stderr=log, cwd=ROOT
        )
    try:
        yield
    finally:
        process.terminate()
        code = process.wait(20)
    assert code == 0, (directory.parent / f"{directory.name}.log").read_text()
