"""Short ways to make nodes and pods for the scheduler's tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import owners
from holdfast.control.scheduler.placement import Pending, PlacementView
from holdfast.control.scheduler.shapes import Shapes

SHAPES = Shapes()


def node(
    name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **labels: str
) -> core.Node:
    message = core.Node()
    message.metadata.name = name
    message.metadata.labels.update(labels)
    for resource, amount in (("cpu", cpu), ("memory", memory), ("pods", pods)):
        message.status.allocatable[resource].string = amount
    return message


def tainted(message: core.Node, key: str, effect: str = "NoSchedule", value: str = "") -> core.Node:
    message.spec.taints.add(key=key, value=value, effect=effect)
    return message


def pod(name: str = "p", owner: str = "", node_name: str = "", **requests: str) -> core.Pod:
    message = core.Pod()
    message.metadata.name, message.metadata.namespace = name, "default"
    message.metadata.uid = f"uid-{name}"
    container = message.spec.containers.add(name="main", image="x")
    for resource, amount in requests.items():
        container.resources.requests[resource].string = amount
    if owner:
        message.metadata.ownerReferences.add(uid=owner, kind="ReplicaSet", controller=True)
    if node_name:
        message.spec.nodeName = node_name
    return message


def pending(message: core.Pod) -> Pending:
    meta = message.metadata
    owner = owners.controller_of(meta)
    shape = SHAPES.of(message, owner.uid if owner else "")
    return Pending((meta.namespace, meta.name), meta.uid, shape)


def many(count: int, owner: str = "o", **requests: str) -> list[Pending]:
    """Equal pods of one owner."""
    shape = SHAPES.of(pod(owner=owner, **requests), owner)
    return [Pending(("default", f"{owner}-{n}"), f"u{n}", shape) for n in range(count)]


def view(*nodes: core.Node) -> PlacementView:
    made = PlacementView()
    for each in nodes:
        made.table.set_node(each)
    return made


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def term(key: str, operator: str, *values: str) -> Any:
    return core.NodeSelectorTerm(
        matchExpressions=[core.NodeSelectorRequirement(key=key, operator=operator, values=values)]
    )
