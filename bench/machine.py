"""The main job on real containers, each figure measured as a user would see it.

up: from the command until the node is Ready. apply: three replicas, from the command until all
are ready. A killed container: until it is ready again. The control process killed: requests that
failed meanwhile. The agent killed: until its status is right again, with the same containers.
Three runs, each on a fresh cluster in a network namespace of its own; images are imported by `up`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from bench.figures import emit
from tests.integration.cluster.machine import ROOT, Machine, machine

RUNS = 3
DEADLINE_S = 60.0
REQUESTS = """
good=0 bad=0
while [ ! -e "$2" ]; do
    if curl -sf -m 2 -o /dev/null "http://$1/"; then good=$((good + 1)); else bad=$((bad + 1)); fi
    sleep 0.01
done
echo $good $bad
"""


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def until(condition: Callable[[], bool]) -> None:
    """Poll what only the command line can tell; bounded."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("not within a minute")
        time.sleep(0.02)


def pods(here: Machine) -> list[dict[str, Any]]:
    text = here.holdfast("get", "pods", "-l", "app=web", "-o", "json")
    items: list[dict[str, Any]] = json.loads(text)["items"]
    return items


def containers(here: Machine) -> dict[str, str]:
    return {
        pod["metadata"]["name"]: pod["status"]["containerStatuses"][0].get("containerID", "")
        for pod in pods(here)
    }


def apply(here: Machine) -> None:
    here.holdfast("apply", "-f", str(ROOT / "examples/web.yaml"))
    here.holdfast("rollout", "status", "deployment/web", "--timeout=60s")


def container_killed(here: Machine) -> float:
    """Seconds from the kill until the pod is ready with a new container."""
    pod = pods(here)[0]
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    before = containers(here)[name]
    for pid in here.processes_of(uid, b"httpd"):
        os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    until(lambda: containers(here)[name] not in ("", before))
    here.holdfast("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    return time.monotonic() - started


def control_killed(here: Machine) -> tuple[int, int]:
    """Requests that were answered and that failed while the control process was away."""
    address = here.holdfast("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    stop = here.data_dir / "stop"
    argv = ["nsenter", f"--net=/run/netns/{here.namespace}", "sh", "-c", REQUESTS, "sh"]
    before = containers(here)
    with subprocess.Popen([*argv, address, str(stop)], stdout=subprocess.PIPE, text=True) as probe:
        (pid,) = here.pids("holdfast.control")
        os.kill(pid, signal.SIGKILL)
        holdfast = str(ROOT / ".venv/bin/holdfast")
        until(lambda: here.attempt(holdfast, "get", "pods").returncode == 0)
        time.sleep(1)
        stop.touch()
        output, _ = probe.communicate()
    stop.unlink()
    if containers(here) != before:
        raise RuntimeError("a container was restarted")
    good, bad = output.split()
    return int(good), int(bad)


def agent_killed(here: Machine) -> float:
    """Seconds until a new agent beats and its pods are as they were."""
    before = containers(here)
    (pid,) = here.pids("holdfast.node")
    os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    until(lambda: here.pids("holdfast.node") not in ([], [pid]))
    here.holdfast("wait", "--for=condition=Ready", "node/node-1", "--timeout=60s")
    until(lambda: containers(here) == before)
    return time.monotonic() - started


def run(found: dict[str, list[float]]) -> None:
    """One cluster, every figure once."""

    def keep(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    with machine("bench") as here:
        keep("up_to_ready_s", timed(lambda: here.holdfast("up", "--detach")))
        keep("apply_to_ready_s", timed(lambda: apply(here)))
        keep("container_killed_to_ready_s", container_killed(here))
        good, bad = control_killed(here)
        keep("control_killed_requests_answered", good)
        keep("control_killed_requests_failed", bad)
        keep("agent_killed_to_right_s", agent_killed(here))
        keep("down_s", timed(lambda: here.holdfast("down")))
        keep("up_again_s", timed(lambda: here.holdfast("up", "--detach")))


def main() -> None:
    found: dict[str, list[float]] = {}
    for _ in range(RUNS):
        run(found)
    for name, values in found.items():
        emit(f"machine.{name}", values, "s" if name.endswith("_s") else "requests")


if __name__ == "__main__":
    main()
