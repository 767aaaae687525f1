"""Three nodes on one machine: pods on all of them, and everybody reaches everybody."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.cluster.machine import ROOT, Machine, machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    with machine("nodes") as found:
        found.holdfast("up", "--detach", "--nodes", "3")
        found.holdfast("apply", "-f", str(ROOT / "examples/web.yaml"))
        found.holdfast("rollout", "status", "deployment/web", "--timeout=60s")
        yield found


def until(condition: Callable[[], bool]) -> None:
    """Wait for what only the command line can tell; bounded."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.1)


def pods(here: Machine) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(
        here.holdfast("get", "pods", "-l", "app=web", "-o", "json")
    )["items"]
    return items


def test_the_pods_are_spread_over_all_nodes(here: Machine) -> None:
    for replicas in (6, 3):
        here.holdfast("scale", "deployment/web", "--replicas=0")  # what goes first is not placement
        until(lambda: not pods(here))
        here.holdfast("scale", "deployment/web", f"--replicas={replicas}")
        here.holdfast("rollout", "status", "deployment/web", "--timeout=60s")
        here.holdfast("wait", "--for=jsonpath={.status.replicas}=" + str(replicas),
                      "deployment/web", "--timeout=60s")  # fmt: skip
        alive = [pod for pod in pods(here) if not pod["metadata"].get("deletionTimestamp")]
        counts = Counter(pod["spec"]["nodeName"] for pod in alive)
        assert counts == dict.fromkeys(("node-1", "node-2", "node-3"), replicas // 3)
    until(lambda: len(pods(here)) == 3)


def test_every_pod_reaches_every_pod_and_the_service(here: Machine) -> None:
    addresses = {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in pods(here)}
    for name in addresses.values():
        for address, wanted in addresses.items():
            fetch = ("wget", "-qO-", "-T", "5", f"http://{address}:8080/")
            assert here.holdfast("exec", name, "--", *fetch).strip() == wanted
        fetch = ("wget", "-qO-", "-T", "5", "http://web.default.svc.cluster.local/")
        assert "web-" in here.holdfast("exec", name, "--", *fetch)


def test_the_machine_reaches_pods_and_service(here: Machine) -> None:
    address = here.holdfast("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    seen = {here.run("curl", "-sf", "-m", "5", f"http://{address}/").strip() for _ in range(30)}
    assert len(seen) == 3


def test_a_node_port_answers_on_every_node(here: Machine) -> None:
    here.holdfast("expose", "deployment/web", "--name=web-port", "--type=NodePort", "--port=80",
                  "--target-port=8080")  # fmt: skip
    port = here.holdfast("get", "service", "web-port", "-o", "jsonpath={.spec.ports[0].nodePort}")
    for node in (11, 12, 13):
        retry = ("--retry", "10", "--retry-all-errors", "--retry-delay", "1")
        url = f"http://10.89.0.{node}:{port}/"
        assert "web-" in here.run("curl", "-sf", "-m", "20", *retry, url)


def test_a_dead_node_is_replaced(here: Machine) -> None:
    """Every process of the node is killed and its cable is cut: nobody closes anything."""
    victim = pods(here)[0]["spec"]["nodeName"]
    namespace = next(
        name
        for name in here.run("ip", "netns", "list").split()
        if name.startswith("holdfast-") and name.endswith(victim)
    )
    here.run("ip", "-n", namespace, "link", "set", "eth0", "down")
    retry = ("--timeout=30s",)
    here.holdfast("wait", "--for=condition=Ready=Unknown", f"node/{victim}", *retry)
    here.holdfast("rollout", "status", "deployment/web", *retry)
    alive = [pod for pod in pods(here) if not pod["metadata"].get("deletionTimestamp")]
    assert all(pod["spec"]["nodeName"] != victim for pod in alive)
    address = here.holdfast("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    for _ in range(10):
        here.run("curl", "-sf", "-m", "5", f"http://{address}/")
    here.run("ip", "-n", namespace, "link", "set", "eth0", "up")
    here.run("ip", "-n", namespace, "route", "replace", "default", "via", "10.89.0.1")
    here.holdfast("wait", "--for=condition=Ready", f"node/{victim}", "--timeout=60s")


def test_a_killed_agent_of_one_node_moves_no_pod(here: Machine) -> None:
    before = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods(here)}
    os.kill(here.pids("holdfast.node")[0], signal.SIGKILL)
    for node in ("node-1", "node-2", "node-3"):
        here.holdfast("wait", "--for=condition=Ready", f"node/{node}", "--timeout=30s")
    assert {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods(here)} == before
