"""The Node object as its agent writes it. Pure module.

The shape, label names and condition types are Kubernetes'. The agent creates the object once and
from then on writes its status only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfast.api.core.v1 import core_pb2 as core

_FINE = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint the node is created with."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node is. capacity and allocatable: resource name → quantity text."""

    name: str
    internal_ip: str
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    os: str = "linux"
    architecture: str = "amd64"
    kernel_version: str = ""
    os_image: str = ""
    machine_id: str = ""
    boot_id: str = ""
    runtime_version: str = ""
    agent_version: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What the agent knows about itself. trouble: why it is not ready, "" when it is.

    disk_trouble: why there is disk pressure, "" when there is none. since: condition type → Unix
    seconds of its last transition; kept by `observe`.
    """

    trouble: str = ""
    disk_trouble: str = ""
    since: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def observe(self, trouble: str, disk_trouble: str, now: float) -> Health:
        """The health after a look at the machine; transitions carry the time of the change."""
        values = {
            "Ready": "False" if trouble else "True",
            "DiskPressure": "True" if disk_trouble else "False",
            "MemoryPressure": "False",
            "PIDPressure": "False",
        }
        since = {}
        for kind, value in values.items():
            before = self.since.get(kind)
            since[kind] = before if before and before[0] == value else (value, int(now))
        return replace(self, trouble=trouble, disk_trouble=disk_trouble, since=since)


def new(facts: NodeFacts) -> core.Node:
    """The object to create, without its status."""
    node = core.Node()
    node.metadata.name = facts.name
    labels = node.metadata.labels
    labels["kubernetes.io/hostname"] = facts.name
    labels["kubernetes.io/os"] = facts.os
    labels["kubernetes.io/arch"] = facts.architecture
    labels.update(facts.labels)
    for taint in facts.taints:
        node.spec.taints.add(key=taint.key, value=taint.value or None, effect=taint.effect)
    return node


def status(facts: NodeFacts, health: Health, now: float) -> core.NodeStatus:
    """The status to write now."""
    built = core.NodeStatus()
    for name, text in facts.capacity.items():
        built.capacity.get_or_create(name).string = text
    for name, text in facts.allocatable.items():
        built.allocatable.get_or_create(name).string = text
    built.addresses.add(type="InternalIP", address=facts.internal_ip)
    built.addresses.add(type="Hostname", address=facts.name)
    info = built.nodeInfo
    info.machineID = info.systemUUID = facts.machine_id
    info.bootID = facts.boot_id
    info.kernelVersion = facts.kernel_version
    info.osImage = facts.os_image
    info.containerRuntimeVersion = facts.runtime_version
    info.kubeletVersion = info.kubeProxyVersion = facts.agent_version
    info.operatingSystem = facts.os
    info.architecture = facts.architecture
    for kind, (reason, message) in _FINE.items():
        _condition(built, health, kind, reason, message, now)
    if health.disk_trouble:
        pressure = next(item for item in built.conditions if item.type == "DiskPressure")
        pressure.reason, pressure.message = "KubeletHasDiskPressure", health.disk_trouble
    if health.trouble:
        _condition(built, health, "Ready", "KubeletNotReady", health.trouble, now)
    else:
        _condition(built, health, "Ready", "KubeletReady", "kubelet is posting ready status", now)
    return built


def _condition(
    built: core.NodeStatus, health: Health, kind: str, reason: str, message: str, now: float
) -> None:
    value, since = health.since.get(kind, ("True" if kind == "Ready" else "False", int(now)))
    condition = built.conditions.add(type=kind, status=value, reason=reason, message=message)
    condition.lastHeartbeatTime.seconds = int(now)
    condition.lastTransitionTime.seconds = since
