"""Placement alone: pods a second onto 5,000 nodes, without store or network.

Cases: plain pods of one Deployment; pods each of its own Deployment (a full pass over all nodes
each), the same choosing nodes by a label; pods that name their one node, as those of a DaemonSet;
pods that fit nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.figures import emit
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.scheduler.placement import Pending, PlacementView, place
from holdfast.control.scheduler.shapes import Shapes

NODES = 5000
PODS = 10_000
BATCH = 250
RUNS = 3


def cluster() -> PlacementView:
    """Equal nodes with room for everything that is placed."""
    view = PlacementView()
    for number in range(NODES):
        node = core.Node()
        node.metadata.name = f"n{number}"
        node.metadata.labels["kubernetes.io/hostname"] = f"n{number}"
        node.metadata.labels["zone"] = f"z{number % 3}"
        for resource, amount in (("cpu", "4"), ("memory", "32Gi"), ("pods", "110")):
            node.status.allocatable[resource].string = amount
        view.table.set_node(node)
    return view


def plain(_number: int) -> core.Pod:
    pod = core.Pod()
    container = pod.spec.containers.add(name="c", image="x:1")
    container.resources.requests["cpu"].string = "100m"
    container.resources.requests["memory"].string = "500Mi"
    pod.metadata.ownerReferences.add(kind="ReplicaSet", name="web", uid="web", controller=True)
    return pod


def each_its_own(number: int) -> core.Pod:
    pod = plain(number)
    pod.metadata.ownerReferences[0].uid = f"owner{number}"
    return pod


def choosing(number: int) -> core.Pod:
    pod = each_its_own(number)
    pod.spec.nodeSelector["zone"] = f"z{number % 3}"
    return pod


def bound_to_one(number: int) -> core.Pod:
    pod = plain(number)
    wanted = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    field = wanted.nodeSelectorTerms.add().matchFields.add(key="metadata.name", operator="In")
    field.values.append(f"n{number % NODES}")
    return pod


def too_large(number: int) -> core.Pod:
    pod = plain(number)
    pod.spec.containers[0].resources.requests["cpu"].string = "400"
    return pod


def rate(make: Callable[[int], core.Pod], count: int) -> float:
    """Pods placed (or judged) a second, reading of their shapes included."""
    view, shapes, rng = cluster(), Shapes(), np.random.default_rng(1)
    pods = [make(number) for number in range(count)]
    start = time.perf_counter()
    for first in range(0, count, BATCH):
        batch = [
            Pending(("default", f"p{number}"), f"u{number}", shapes.of(pods[number], ""))
            for number in range(first, min(first + BATCH, count))
        ]
        place(view, batch, rng)
    return count / (time.perf_counter() - start)


def main() -> None:
    cases: tuple[tuple[str, Callable[[int], core.Pod], int], ...] = (
        ("plain", plain, PODS),
        ("each_its_own_shape", each_its_own, 2000),
        ("each_choosing_by_label", choosing, 2000),
        ("bound_to_one_node", bound_to_one, 1000),
        ("fits_nowhere", too_large, PODS),
    )
    for name, make, count in cases:
        emit(f"scheduler.{name}_pods_per_s", [rate(make, count) for _ in range(RUNS)], "pods/s")


if __name__ == "__main__":
    main()
