"""How fast a Deployment of many replicas runs on a thousand hollow nodes, and what it costs.

From the create until a watch has seen every pod Running; events on. `python -m bench.density
[REPLICAS…]`: 5,000 three times and 50,000 once when nothing is said. Fails when the control
node's loop ever stalled over 250 ms.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench import cluster
from bench.figures import emit, python_speed
from holdfast.api import codec, kubeconfig
from holdfast.api.client import Client, EventType

NODES = 1000
STALL_MAX_S = 0.25
TIMEOUT_S = 900


@dataclass
class Run:
    """One deployment: pods a second, and the control process beside it; before it, how fast this
    machine is just then."""

    python_sums_per_s: float
    pods_per_s: float
    memory_mb: float
    lag_p99_ms: float
    lag_max_ms: float


def deployment(replicas: int) -> Any:
    """The Deployment whose pods are counted."""
    template = {
        "metadata": {"labels": {"app": "density"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "localhost/holdfast-demo:1",
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                }
            ]
        },
    }
    tree = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "density", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "density"}},
            "template": template,
        },
    }
    return codec.decode_object(tree)[1]


async def await_running(client: Client, replicas: int) -> None:
    """Return when this many pods are Running, as a watch sees it."""
    running: set[str] = set()
    async for batch in client.watch("pods", "default", latest_only=True):
        for event in batch:
            if event.object is None:
                continue
            name = event.object.metadata.name
            if event.type != EventType.DELETED and event.object.status.phase == "Running":
                running.add(name)
            else:
                running.discard(name)
        if len(running) >= replicas:
            return


async def deploy(here: cluster.Cluster, replicas: int) -> Run:
    """Create, await, measure."""
    async with Client.connect(kubeconfig.load((here.kubeconfig,))) as client:
        control = here.process("control")
        speed = python_speed()
        before = here.metrics()
        started = time.monotonic()
        waiting = asyncio.create_task(await_running(client, replicas))
        await client.create("deployments.apps", deployment(replicas), "default")
        async with asyncio.timeout(TIMEOUT_S):
            await waiting
        took_s = time.monotonic() - started
        after = here.metrics()
    return Run(
        python_sums_per_s=speed,
        pods_per_s=replicas / took_s,
        memory_mb=control.memory_info().rss / 1e6,
        lag_p99_ms=cluster.lag_p99_s(before, after) * 1e3,
        lag_max_ms=after["holdfast_loop_lag_max_seconds"][""] * 1e3,
    )


def measure(replicas: int, runs: int) -> list[Run]:
    """Run on a fresh cluster each time and print the figures."""
    found = []
    for _ in range(runs):
        with cluster.hollow(NODES) as here:
            found.append(asyncio.run(deploy(here, replicas)))
    name = f"density.{replicas}"
    sums = [run.python_sums_per_s for run in found]
    emit(f"{name}.reference.python_sums_per_s", sums, "/s")
    emit(f"{name}.pods_per_s", [run.pods_per_s for run in found], "pods/s")
    emit(f"{name}.control_memory_mb", [run.memory_mb for run in found], "MB")
    emit(f"{name}.loop_lag_p99_ms", [run.lag_p99_ms for run in found], "ms")
    emit(f"{name}.loop_lag_max_ms", [run.lag_max_ms for run in found], "ms")
    return found


def main() -> int:
    """Exit code 1 when the loop stalled."""
    sizes = [int(word) for word in sys.argv[1:]]
    plan = [(size, 1) for size in sizes] or [(5000, 3), (50000, 1)]
    runs = {replicas: measure(replicas, count) for replicas, count in plan}
    if {5000, 50000} <= runs.keys():
        small, large = (sorted(run.pods_per_s for run in runs[size]) for size in (5000, 50000))
        ratio = small[len(small) // 2] / large[len(large) // 2]
        emit("density.slowdown_at_50000", ratio, "x per pod")
    worst_ms = max(run.lag_max_ms for found in runs.values() for run in found)
    if worst_ms > STALL_MAX_S * 1e3:
        print(f"the control node's loop stalled for {worst_ms:.0f} ms", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
