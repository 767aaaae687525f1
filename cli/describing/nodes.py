"""The page of a node: what it is, what runs on it, what is left of it. Pure module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.api import quantity
from holdfast.api.kinds import cells
from holdfast.api.objects import readiness, requests
from holdfast.cli.describing import parts
from holdfast.cli.describing.layout import Block, Fields, Grid
from holdfast.cli.describing.related import Related

RESOURCES = (requests.CPU, requests.MEMORY, requests.STORAGE)


def page(node: Any, related: Related, now: float) -> Fields:
    """A node with its pods and how much of it they have asked for."""
    info = node.status.nodeInfo
    active = [pod for pod in related.pods if not readiness.pod_finished(pod)]
    return [
        *parts.head(node),
        *parts.marks(node),
        ("CreationTimestamp", parts.time(node.metadata.creationTimestamp)),
        ("Taints", [_taint(taint) for taint in node.spec.taints]),
        ("Unschedulable", parts.flag(node.spec.unschedulable).lower()),
        ("Conditions", parts.conditions(node.status.conditions)),
        ("Addresses", Block([(a.type, a.address) for a in node.status.addresses])),
        ("Capacity", Block(parts.quantities(node.status.capacity))),
        ("Allocatable", Block(parts.quantities(node.status.allocatable))),
        ("System Info", Block(_info(info))),
        ("PodCIDR", node.spec.podCIDR),
        (f"Non-terminated Pods ({len(active)} in total)", _pods(active, now)),
        ("Allocated resources", _allocated(node, active)),
        ("Events", parts.events(related.events, now)),
    ]


def _taint(taint: Any) -> str:
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def _info(info: Any) -> Fields:
    named = (
        ("Machine ID", info.machineID),
        ("Kernel Version", info.kernelVersion),
        ("OS Image", info.osImage),
        ("Operating System", info.operatingSystem),
        ("Architecture", info.architecture),
        ("Container Runtime Version", info.containerRuntimeVersion),
        ("Kubelet Version", info.kubeletVersion),
    )
    return [(label, value) for label, value in named if value]


def _pods(pods: Iterable[Any], now: float) -> Grid:
    rows = []
    for pod in sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name)):
        wanted, allowed = requests.of_pod(pod), limits_of(pod)
        rows.append(
            [
                pod.metadata.namespace,
                pod.metadata.name,
                shown(requests.CPU, wanted.get(requests.CPU, 0)),
                shown(requests.CPU, allowed.get(requests.CPU, 0)),
                shown(requests.MEMORY, wanted.get(requests.MEMORY, 0)),
                shown(requests.MEMORY, allowed.get(requests.MEMORY, 0)),
                cells.age(pod.metadata.creationTimestamp, now),
            ]
        )
    header = (
        "Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits",
        "Age",
    )  # fmt: skip
    return Grid(header, rows)


def _allocated(node: Any, pods: list[Any]) -> Grid:
    """Sums and their share of what is allocatable; limits may exceed 100 %."""
    allocatable = requests.amounts(node.status.allocatable)
    rows = []
    for resource in RESOURCES:
        have = allocatable.get(resource, 0)
        wanted = sum(requests.of_pod(pod).get(resource, 0) for pod in pods)
        allowed = sum(limits_of(pod).get(resource, 0) for pod in pods)
        rows.append([resource, *(_share(resource, total, have) for total in (wanted, allowed))])
    return Grid(("Resource", "Requests", "Limits"), rows)


def _share(resource: str, total: int, have: int) -> str:
    return f"{shown(resource, total)} ({100 * total // have if have else 0}%)"


def limits_of(pod: Any) -> dict[str, int]:
    """The sums of the containers' limits, in the units of `requests.amount`."""
    total: dict[str, int] = {}
    for container in pod.spec.containers:
        for resource, value in requests.amounts(container.resources.limits).items():
            total[resource] = total.get(resource, 0) + value
    return total


def shown(resource: str, amount: int) -> str:
    """An amount as a quantity: 250 thousandths of a core is "250m", 1048576 bytes are "1Mi"."""
    if resource == requests.CPU:
        return quantity.canonical(f"{amount}m")
    kibi, rest = divmod(amount, 1024)
    return quantity.canonical(str(amount) if rest else f"{kibi}Ki")
