"""What a pod asks of a node, shared by all pods that ask for the same.

Pods of one template have equal specs, so the work of reading one is done once a spec; and specs
that differ only in what does not matter here share a shape. Everything that is remembered about
where such pods fit hangs on the shape. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import owners, requests

if TYPE_CHECKING:
    from holdfast.api.meta.v1 import meta_pb2 as meta

Asking = tuple[str, tuple[tuple[str, int], ...], tuple["Port", ...], bytes]

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

    requests: by resource, in the units of objects.requests. spec: its nodeSelector, affinity and
    tolerations, nothing else. owner: uid of the controlling owner, whose pods are spread.
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
        self._by_asking: dict[Asking, Shape] = {}

    def of(self, pod: core.Pod) -> Shape:
        """The shape of a pod. Raises quantity.QuantityError for a request that is no quantity."""
        spec = pod.spec
        if spec.nodeName:
            spec = core.PodSpec()
            spec.CopyFrom(pod.spec)
            spec.ClearField("nodeName")
        controller = owners.controller_of(pod.metadata)
        owner = controller.uid if controller is not None else ""
        key = (owner, spec.SerializeToString(deterministic=True))
        shape = self._by_spec.pop(key, None) or self._read(pod, spec, owner)
        self._by_spec[key] = shape
        if len(self._by_spec) > INTERNED_MAX:
            del self._by_spec[next(iter(self._by_spec))]
        return shape

    def _read(self, pod: core.Pod, spec: core.PodSpec, owner: str) -> Shape:
        fresh = _shape(pod, spec, owner)
        asking = _asking(fresh)
        shape = self._by_asking.pop(asking, None) or fresh
        self._by_asking[asking] = shape
        if len(self._by_asking) > INTERNED_MAX:
            del self._by_asking[next(iter(self._by_asking))]
        return shape


def _asking(shape: Shape) -> Asking:
    """What makes two shapes the same."""
    wanted = tuple(sorted(shape.requests.items()))
    return (shape.owner, wanted, shape.ports, shape.spec.SerializeToString(deterministic=True))


def _shape(pod: core.Pod, spec: core.PodSpec, owner: str) -> Shape:
    kept = core.PodSpec(tolerations=spec.tolerations)
    kept.nodeSelector.update(dict(spec.nodeSelector))
    if spec.HasField("affinity"):
        kept.affinity.CopyFrom(spec.affinity)
    wanted = {name: amount for name, amount in requests.of_pod(pod).items() if amount}
    ports = tuple(
        Port(port.protocol or "TCP", port.hostPort, port.hostIP or EVERY_ADDRESS)
        for container in spec.containers
        for port in container.ports
        if port.hostPort
    )
    return Shape(wanted, ports, kept, owner)


def allocatable(node: core.Node) -> dict[str, int]:
    """What a node offers, in the units of objects.requests; its capacity when it says no more."""
    offered: dict[str, meta.Quantity] = dict(node.status.allocatable or node.status.capacity)
    return requests.amounts(offered)
