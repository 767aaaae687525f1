"""What a killed process costs: nothing that was acknowledged, no container, no request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cluster.machine import ROOT, Machine, machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    """A cluster with three web pods behind a Service."""
    with machine("fail") as found:
        found.holdfast("up", "--detach")
        found.holdfast("apply", "-f", str(ROOT / "examples/web.yaml"))
        found.holdfast("rollout", "status", "deployment/web", "--timeout=30s")
        yield found


def pods(here: Machine) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(
        here.holdfast("get", "pods", "-l", "app=web", "-o", "json")
    )["items"]
    return items


def containers(here: Machine) -> dict[str, tuple[str, int]]:
    """Container id and restarts by pod."""
    found = {}
    for pod in pods(here):
        status = pod["status"]["containerStatuses"][0]
        found[pod["metadata"]["name"]] = (status["containerID"], status["restartCount"])
    return found


def address(here: Machine) -> str:
    return here.holdfast("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")


def until(condition: Any, what: str) -> None:
    """Wait for something that no watch of ours can see; bounded."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)


def kill(here: Machine, program: str) -> int:
    """SIGKILL the one process of a program; returns its id."""
    (pid,) = here.pids(program)
    os.kill(pid, signal.SIGKILL)
    return pid


def replaced(here: Machine, program: str, old: int) -> bool:
    return here.pids(program) not in ([], [old])


def test_the_service_answers_from_host_and_pod_and_by_name(here: Machine) -> None:
    assert "web-" in here.run("curl", "-sf", "-m", "5", f"http://{address(here)}/")
    for name in ("web", "web.default", "web.default.svc.cluster.local"):
        output = here.holdfast(
            "exec", "deployment/web", "--", "wget", "-qO-", "-T", "5", f"http://{name}/"
        )
        assert "web-" in output


def test_all_replicas_get_requests(here: Machine) -> None:
    url = f"http://{address(here)}/"
    seen = {here.run("curl", "-sf", "-m", "5", url).strip() for _ in range(40)}
    assert len(seen) == 3, seen


def test_a_killed_container_is_started_again(here: Machine) -> None:
    name = pods(here)[0]["metadata"]["name"]
    before = containers(here)[name]
    uid = next(p["metadata"]["uid"] for p in pods(here) if p["metadata"]["name"] == name)
    for pid in here.processes_of(uid, b"httpd"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: containers(here)[name] != before, "a new container")
    here.holdfast("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    assert containers(here)[name][1] == before[1] + 1


def test_a_killed_control_node_costs_no_request_and_no_container(here: Machine) -> None:
    before = containers(here)
    here.holdfast("create", "configmap", "kept", "--from-literal=key=value")
    probe = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{here.namespace}", "sh", "-c", _PROBE, "sh", address(here)],
        stdout=subprocess.PIPE,
        text=True,
    )
    old = kill(here, "holdfast.control")
    until(lambda: replaced(here, "holdfast.control", old), "a new control process")
    until(lambda: "kept" in _names(here), "the control node to serve again")
    output, _ = probe.communicate(timeout=60)
    good, bad = output.split()
    assert int(bad) == 0
    assert int(good) > 20
    assert containers(here) == before


_PROBE = """
good=0 bad=0 number=0
while [ $number -lt 200 ]; do
    if curl -sf -m 2 -o /dev/null "http://$1/"; then good=$((good + 1)); else bad=$((bad + 1)); fi
    number=$((number + 1))
    sleep 0.02
done
echo $good $bad
"""


def _names(here: Machine) -> str:
    command = (str(ROOT / ".venv/bin/holdfast"), "get", "configmaps", "-o", "name")
    return here.attempt(*command).stdout


def test_a_killed_agent_adopts_its_containers(here: Machine) -> None:
    before = containers(here)
    old = kill(here, "holdfast.node")
    until(lambda: replaced(here, "holdfast.node", old), "a new agent")
    here.holdfast("wait", "--for=condition=Ready", "node/node-1", "--timeout=30s")
    assert containers(here) == before


def test_a_killed_proxy_leaves_the_address_working(here: Machine) -> None:
    url = f"http://{address(here)}/"
    old = kill(here, "holdfast.netproxy")
    assert "web-" in here.run("curl", "-sf", "-m", "5", url)
    until(lambda: replaced(here, "holdfast.netproxy", old), "a new proxy")
    assert "web-" in here.run("curl", "-sf", "-m", "5", url)


def test_a_killed_supervisor_leaves_pods_and_the_next_up_goes_on(here: Machine) -> None:
    before, url = containers(here), f"http://{address(here)}/"
    pid = int((here.data_dir / "supervisor.lock").read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not here.pids("holdfast.control"), "the children to end")
    assert "web-" in here.run("curl", "-sf", "-m", "5", url)
    here.holdfast("up", "--detach")
    here.holdfast("rollout", "status", "deployment/web", "--timeout=30s")
    assert containers(here) == before
