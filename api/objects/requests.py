"""What a pod needs of a node, as integers: the scheduler's and the node's one count.

Pure module. Source: component-helpers resource.PodRequests: the containers run together, the
init containers one after another before them, so a pod needs the larger of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.api import quantity

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.meta.v1 import meta_pb2 as meta

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"


def amount(resource: str, text: str) -> int:
    """A quantity in the unit we count the resource in: thousandths of a core, else whole units.

    Rounded up. Raises quantity.QuantityError.
    """
    return quantity.to_milli(text) if resource == CPU else quantity.to_int(text)


def amounts(values: Mapping[str, meta.Quantity]) -> dict[str, int]:
    """A resource list (capacity, allocatable, requests) as integers, as in `amount`."""
    return {resource: amount(resource, value.string) for resource, value in values.items()}


def of_pod(pod: core.Pod) -> dict[str, int]:
    """The pod's requests: cpu in thousandths, memory and ephemeral-storage in bytes, pods = 1.

    cpu and memory are always there (0 when nothing is asked for), others when asked for. A
    container without requests counts its limits (defaulting has written them down).
    """
    total = {CPU: 0, MEMORY: 0}
    for container in pod.spec.containers:
        for resource, value in container.resources.requests.items():
            total[resource] = total.get(resource, 0) + amount(resource, value.string)
    for container in pod.spec.initContainers:
        for resource, value in container.resources.requests.items():
            total[resource] = max(total.get(resource, 0), amount(resource, value.string))
    total[PODS] = 1
    return total


def qos_class(pod: core.Pod) -> str:
    """Guaranteed (every container limits cpu and memory to what it requests), BestEffort (none
    asks for anything) or Burstable. Source: component-helpers qos.ComputePodQOS."""
    asked = False
    guaranteed = True
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        limits, wanted = container.resources.limits, container.resources.requests
        asked = asked or bool(limits) or bool(wanted)
        guaranteed = guaranteed and all(
            name in limits and _equal(limits.get(name), wanted.get(name)) for name in (CPU, MEMORY)
        )
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _equal(limit: meta.Quantity | None, request: meta.Quantity | None) -> bool:
    if limit is None:
        return False
    return request is None or quantity.parse(limit.string) == quantity.parse(request.string)
