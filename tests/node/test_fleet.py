"""Hollow nodes against a real control node on loopback."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack

import grpc
import pytest

from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.rpc.v1 import (
    cluster_pb2,
    cluster_pb2_grpc,
    sessions_pb2,
    sessions_pb2_grpc,
)
from holdfast.control.config import ControlConfig
from holdfast.control.main import ControlNode
from holdfast.node import main
from holdfast.runtime.hollow import Timings

NODES = 3
PODS = 6


def free_port():
    """A port that is free, as are those after it that a control node uses."""
    for _ in range(50):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for probe, number in ((one, port), (two, port + 1), (three, port + 3)):
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports in a row")


async def until(check, what, wait_s=15.0):
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while not (found := await check()):
        assert loop.time() < deadline, f"waited {wait_s} s for {what}"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def cluster(tmp_path):
    """A client of a control node with joined hollow nodes."""
    config = tmp_path / "kubeconfig"
    ending = AsyncExitStack()
    wanted = ControlConfig(tmp_path / "control", port=free_port(), kubeconfig=config)
    node = ControlNode(wanted, ending)
    await node.start()
    client = Client.connect(kubeconfig.load((config,)))
    stub = cluster_pb2_grpc.AccessStub(client.channel)
    token = (await stub.CreateToken(cluster_pb2.CreateTokenRequest())).token
    fleet = asyncio.create_task(
        main.run(
            main.NodeConfig(
                name="hollow",
                directory=tmp_path,
                credentials=tmp_path / "credentials",
                join=f"{token}@127.0.0.1:{node.config.port + 1}",
                hollow=NODES,
                hollow_timings=Timings().faster(100),
                seed=1,
            )
        )
    )
    yield client
    fleet.cancel()
    await asyncio.gather(fleet, return_exceptions=True)
    await client.close()
    await ending.aclose()


def pod(number):
    built = core.Pod()
    built.metadata.name, built.metadata.namespace = f"web-{number}", "default"
    built.spec.terminationGracePeriodSeconds = 5
    main_container = built.spec.containers.add(name="main", image="any:1")
    main_container.readinessProbe.handler.tcpSocket.port.intVal = 80
    built.spec.initContainers.add(name="init", image="any:1")
    return built


def ready(found):
    conditions = {item.type: item.status for item in found.status.conditions}
    return found.status.phase == "Running" and conditions.get("Ready") == "True"


async def test_pods_run_on_hollow_nodes_and_go(cluster):
    async def nodes_ready():
        listed = await cluster.list("nodes")
        up = [
            n
            for n in listed.objects
            if any(c.type == "Ready" and c.status == "True" for c in n.status.conditions)
        ]
        return len(up) == NODES

    await until(nodes_ready, "the nodes to be ready")
    for number in range(PODS):
        await cluster.create("pods", pod(number), "default")

    async def all_ready():
        listed = await cluster.list("pods", "default")
        return listed.objects if all(map(ready, listed.objects)) else None

    found = await until(all_ready, "the pods to be ready")
    assert {item.spec.nodeName for item in found} == {f"hollow-{n}" for n in range(NODES)}
    addresses = {item.status.podIP for item in found}
    assert len(addresses) == PODS
    assert all(address.startswith("100.64.") for address in addresses)
    assert found[0].status.initContainerStatuses[0].state.terminated.reason == "Completed"

    request = sessions_pb2.LogsRequest(namespace="default", pod="web-0", container="main")
    call = sessions_pb2_grpc.PodsStub(cluster.channel).Logs(request)
    with pytest.raises(grpc.aio.AioRpcError, match="have no logs"):
        await call.read()

    async def told():
        listed = await cluster.list("events", "default")
        return {event.reason for event in listed.objects} >= {"Scheduled", "Started"}

    await until(told, "the events")
    for number in range(PODS):
        await cluster.delete("pods", f"web-{number}", "default")

    async def all_gone():
        return not (await cluster.list("pods", "default")).objects

    await until(all_gone, "the pods to be gone")
