"""What a pod needs of a node, as integers: the scheduler's and the node's one count.

Pure module. Source: component-helpers resource.PodRequests: the containers run together, the
init containers one after another before them, so a pod needs the larger of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from holdfast.api import quantity

if TYPE_CHECKING:
    from fractions import Fraction

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
    asks for either) or Burstable. Raises quantity.QuantityError. Source: component-helpers
    qos.ComputePodQOS."""
    asked, guaranteed = False, True
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        limits = _counted(container.resources.limits)
        wanted = _counted(container.resources.requests)
        asked = asked or bool(limits or wanted)
        guaranteed = guaranteed and len(limits) == len(_COUNTED) and {**limits, **wanted} == limits
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


_COUNTED = (CPU, MEMORY)


def _counted(values: Mapping[str, meta.Quantity]) -> dict[str, Fraction]:
    """The amounts of cpu and memory that are not 0."""
    found = {}
    for name in _COUNTED:
        value = values.get(name)
        if value is not None and (parsed := _parsed(value.string)):
            found[name] = parsed
    return found


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Fraction:
    return quantity.parse(text)
