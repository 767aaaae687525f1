"""The quality-of-service class of a pod, from its cpu and memory. Pure module.

Kubernetes' ComputePodQOS: nothing asked for is BestEffort; every container limited in both, with
requests equal to limits, is Guaranteed; the rest is Burstable.
"""

from __future__ import annotations

from typing import Any

from holdfast.api import quantity

_COUNTED = ("cpu", "memory")


def of_pod(pod: Any) -> str:
    """ "Guaranteed", "Burstable" or "BestEffort". An unreadable quantity counts as one asked for:
    validation refuses the pod afterwards."""
    containers = [*pod.spec.initContainers, *pod.spec.containers]
    asked = [_amounts(c.resources.requests) | _amounts(c.resources.limits) for c in containers]
    if not any(asked):
        return "BestEffort"
    guaranteed = all(_is_guaranteed(container) for container in containers)
    return "Guaranteed" if guaranteed else "Burstable"


def _is_guaranteed(container: Any) -> bool:
    limits = _amounts(container.resources.limits)
    requests = limits | _amounts(container.resources.requests)
    return len(limits) == len(_COUNTED) and requests == limits


def _amounts(listed: Any) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in _COUNTED:
        value = listed.get(name)
        if value is None:
            continue
        try:
            amount = quantity.parse(value.string)
        except quantity.QuantityError:
            found[name] = value.string
            continue
        if amount:
            found[name] = amount
    return found
