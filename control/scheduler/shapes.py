"""What a pod asks of a node, shared by all pods that ask for the same.

Pods of one template have equal specs, so the work of reading one is done once a spec; and specs
that differ only in what does not matter here share a shape. Everything that is remembered about
where such pods fit hangs on the shape. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import requests

if TYPE_CHECKING:
    from holdfast.api.meta.v1 import meta_pb2 as meta

INTERNED_MAX = 4096
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - a pod asks for the port on every address


class Port(NamedTuple):
    """A port of the node itself that a pod wants. address: EVERY_ADDRESS = all."""

    protocol: str
    number: int
    address: str

    def clashes(self, other: Port) -> bool:
        """Whether both cannot be on one node."""
        return self[:2] == other[:2] and (
            self.address == other.address or EVERY_ADDRESS in (self.address, other.address)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One way of asking. Compared by identity: equal asking is the same object.

    requests: by resource, in the units of objects.requests. spec: what of the pods' is read here,
    nothing else. owner: uid of the controlling owner, whose pods are spread, "" = none.
    """

    requests: dict[str, int]
    ports: tuple[Port, ...]
    spec: core.PodSpec
    owner: str

    @property
    def chooses(self) -> bool:
        """Whether it depends on a node's labels or name."""
        return bool(self.spec.nodeSelector) or self.spec.affinity.HasField("nodeAffinity")


class Shapes:
    """The interned shapes, the latest INTERNED_MAX of them."""

    def __init__(self) -> None:
        self._by_spec: dict[tuple[str, bytes], Shape] = {}
        self._by_asking: dict[tuple[str, bytes], Shape] = {}

    def of(self, pod: core.Pod, owner: str) -> Shape:
        """The shape of a pod. owner: uid of the owner that controls it, "" = none. Raises
        quantity.QuantityError for a request that is no quantity."""
        spec = pod.spec
        if spec.nodeName:
            spec = core.PodSpec()
            spec.CopyFrom(pod.spec)
            spec.ClearField("nodeName")
        key = (owner, spec.SerializeToString(deterministic=True))
        shape = self._by_spec.pop(key, None) or self._read(pod, owner)
        _keep(self._by_spec, key, shape)
        return shape

    def _read(self, pod: core.Pod, owner: str) -> Shape:
        asking = _asking(pod.spec)
        key = (owner, asking.SerializeToString(deterministic=True))
        shape = self._by_asking.pop(key, None) or _shape(pod, asking, owner)
        _keep(self._by_asking, key, shape)
        return shape


def _keep(known: dict[tuple[str, bytes], Shape], key: tuple[str, bytes], shape: Shape) -> None:
    known[key] = shape
    if len(known) > INTERNED_MAX:
        del known[next(iter(known))]


def _asking(spec: core.PodSpec) -> core.PodSpec:
    """What of a spec matters here."""
    kept = core.PodSpec()
    kept.tolerations.MergeFrom(spec.tolerations)
    kept.nodeSelector.MergeFrom(spec.nodeSelector)
    if spec.HasField("affinity"):
        kept.affinity.CopyFrom(spec.affinity)
    for container in spec.containers:
        asking = kept.containers.add()
        asking.resources.requests.MergeFrom(container.resources.requests)
        for port in container.ports:
            if port.hostPort:
                asking.ports.add(protocol=port.protocol, hostPort=port.hostPort, hostIP=port.hostIP)
    for container in spec.initContainers:
        kept.initContainers.add().resources.requests.MergeFrom(container.resources.requests)
    return kept


def _shape(pod: core.Pod, asking: core.PodSpec, owner: str) -> Shape:
    wanted = {name: amount for name, amount in requests.of_pod(pod).items() if amount}
    ports = tuple(
        Port(port.protocol or "TCP", port.hostPort, port.hostIP or EVERY_ADDRESS)
        for container in asking.containers
        for port in container.ports
    )
    return Shape(wanted, ports, asking, owner)


def allocatable(node: core.Node) -> dict[str, int]:
    """What a node offers, in the units of objects.requests; its capacity when it says no more."""
    offered: dict[str, meta.Quantity] = dict(node.status.allocatable or node.status.capacity)
    return requests.amounts(offered)
