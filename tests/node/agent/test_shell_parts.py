"""Probes, control groups, log rotation, network configuration, flags."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.__main__ import configuration
from holdfast.node.agent import network, probes, rotation
from holdfast.node.agent.cgroups import Cgroups, weight
from holdfast.node.specs.limits import PodLimits
from holdfast.node.uplink import node_object
from holdfast.node.uplink.node_object import Health, NodeFacts, Taint


async def answer(head, reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError):  # a tcp probe says nothing
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("head", "ok", "why"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", True, ""),
        (b"HTTP/1.1 302 Found\r\n\r\n", True, ""),
        (b"HTTP/1.1 500 No\r\n\r\n", False, "HTTP probe failed with statuscode: 500"),
        (b"nonsense\r\n", False, "not HTTP"),
        (b"", False, "not HTTP"),
    ],
)
async def test_http_probes(head, ok, why):
    server = await asyncio.start_server(lambda r, w: answer(head, r, w), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        container = core.Container(name="main")
        container.ports.add(name="web", containerPort=port)
        probe = core.Probe(timeoutSeconds=2)
        probe.handler.httpGet.path = "/healthz"
        probe.handler.httpGet.port.strVal = "web"
        found = await probes.ask(None, "id", container, probe, "127.0.0.1")
        assert found[0] is ok
        assert why in found[1]
        tcp = core.Probe()
        tcp.handler.tcpSocket.port.intVal = port
        assert await probes.ask(None, "id", container, tcp, "127.0.0.1") == (True, "")
        await asyncio.sleep(0.02)


async def test_nobody_listens():
    probe = core.Probe()
    probe.handler.tcpSocket.port.intVal = 1
    ok, why = await probes.ask(None, "id", core.Container(), probe, "127.0.0.1")
    assert not ok
    assert why == "dial tcp 127.0.0.1:1: connect: connection refused"


def test_control_groups_of_version_1(tmp_path):
    for controller, files in (("cpu", ["cpu.shares"]), ("memory", []), ("pids", [])):
        (tmp_path / controller).mkdir()
        group = tmp_path / controller / "h" / "poda"
        if files:
            group.mkdir(parents=True)
        for name in files:
            (group / name).touch()
    groups = Cgroups("/h", tmp_path)
    groups.prepare("a", PodLimits(102, 0, 0))
    assert (tmp_path / "cpu/h/poda/cpu.shares").read_text() == "102"
    assert (tmp_path / "memory/h/poda").is_dir()
    (tmp_path / "cpu/h/poda/cpu.shares").unlink()
    (tmp_path / "cpu/h/poda/inner").mkdir()
    groups.remove("a")
    assert not (tmp_path / "cpu/h/poda").exists()
    (tmp_path / "memory/h/podb").mkdir()
    groups.sweep({"c"})
    assert not (tmp_path / "memory/h/podb").exists()


def test_control_groups_of_version_2(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    for folder in (tmp_path / "h", tmp_path / "h" / "poda"):
        folder.mkdir(parents=True)
        (folder / "cgroup.controllers").write_text("cpu memory")
    for name in ("cpu.weight", "cpu.max", "memory.max"):
        (tmp_path / "h" / "poda" / name).touch()
    groups = Cgroups("/h", tmp_path)
    groups.prepare("a", PodLimits(1024, 50_000, 1 << 20))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (tmp_path / "h/poda/cpu.weight").read_text() == str(weight(1024)) == "39"
    assert (tmp_path / "h/poda/cpu.max").read_text() == "50000 100000"
    assert (tmp_path / "h/poda/memory.max").read_text() == str(1 << 20)


def test_logs_rotate_and_old_runs_go(tmp_path, monkeypatch):
    monkeypatch.setattr(rotation, "LOG_BYTES_MAX", 10)
    path = tmp_path / "2.log"
    for number in range(6):
        path.write_bytes(b"x" * 10 + str(number).encode())
        assert rotation._rename(path)
    assert not rotation._rename(path)
    kept = sorted(found.name for found in tmp_path.iterdir())
    assert kept == ["2.log.1", "2.log.2", "2.log.3"]
    assert (tmp_path / "2.log.1").read_bytes().endswith(b"5")
    for name in ("0.log", "0.log.1", "1.log"):
        (tmp_path / name).touch()
    rotation.drop_old_runs(tmp_path, 2)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["1.log", *kept]


def test_the_network_configuration(tmp_path):
    text = network.configuration("10.244.3.0/24", "holdfast-pods", tmp_path / "state")
    bridge, portmap = json.loads(text)["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.3.0/24"}]]
    assert bridge["ipMasq"] is False
    assert portmap["capabilities"] == {"portMappings": True}
    assert network.write(tmp_path / "net.d", text)
    assert not network.write(tmp_path / "net.d", text)
    with pytest.raises(ValueError, match="1 to 15 characters"):
        network.configuration("10.244.3.0/24", "a-name-that-is-too-long", tmp_path)


FACTS = NodeFacts(
    "n", "192.0.2.1", {"cpu": "2"}, {"cpu": "2"}, {"a": "b"}, (Taint("k", "", "NoSchedule"),)
)


def test_a_node_object():
    node = node_object.new(FACTS)
    assert node.metadata.labels.get("kubernetes.io/hostname") == "n"
    assert node.metadata.labels.get("a") == "b"
    assert node.spec.taints[0].effect == "NoSchedule"


def test_a_nodes_conditions_keep_their_times():
    health = Health().observe("", "", 100.0)
    health = health.observe("", "", 150.0).observe("runtime is down", "", 200.0)
    built = node_object.status(FACTS, health, 210.0)
    conditions = {item.type: item for item in built.conditions}
    assert conditions["Ready"].status == "False"
    assert conditions["Ready"].message == "runtime is down"
    assert conditions["Ready"].lastTransitionTime.seconds == 200
    assert conditions["DiskPressure"].lastTransitionTime.seconds == 100
    assert built.capacity.get("cpu").string == "2"


def test_flags(tmp_path):
    token = tmp_path / "token"
    token.write_text("abc\n")
    flags = ["--name", "n", "--dir", str(tmp_path), "--join-file", str(token), "--server", "h:1"]
    config, level = configuration([*flags, "--label", "a=b", "--taint", "k=v:NoSchedule"])
    assert config.join == "abc@h:1"
    assert config.labels == {"a": "b"}
    assert config.taints == (Taint("k", "v", "NoSchedule"),)
    assert config.credentials == tmp_path / "credentials"
    assert config.socket == Path(tmp_path / "containerd" / "containerd.sock")
    assert config.cni is None
    assert level == "info"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--label", "a"], "--label"),
        (["--taint", "a:Never"], "--taint"),
        (["--hollow", "-1"], "--hollow"),
        (["--join-file", "x"], "--server"),
    ],
)
def test_wrong_flags_are_named(flags, message):
    with pytest.raises(ValueError, match=message):
        configuration(flags)
