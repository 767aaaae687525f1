"""When a pod or a node counts: ready, available, active, finished. Pure module.

Controllers, the proxy and the CLI ask here, so that they mean the same by the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.objects.conditions import condition, is_true, set_condition

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

__all__ = [
    "FINISHED",
    "condition",
    "is_true",
    "node_ready",
    "pod_active",
    "pod_available",
    "pod_finished",
    "pod_ready",
    "set_condition",
]

FINISHED = ("Succeeded", "Failed")
"""The phases of a pod that has ended for good."""


def pod_ready(pod: core.Pod) -> bool:
    """Whether its condition Ready is True: it may get traffic."""
    return is_true(pod.status.conditions, "Ready")


def pod_available(pod: core.Pod, min_ready_s: int, now: float) -> bool:
    """Whether it has been ready for at least min_ready_s (minReadySeconds) at `now`."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return False
    return min_ready_s == 0 or ready.lastTransitionTime.seconds + min_ready_s <= now


def pod_finished(pod: core.Pod) -> bool:
    """Whether it has ended for good: Succeeded or Failed."""
    return pod.status.phase in FINISHED


def pod_active(pod: core.Pod) -> bool:
    """Whether it counts as a replica: neither ended nor being deleted."""
    return not pod_finished(pod) and not pod.metadata.HasField("deletionTimestamp")


def node_ready(node: core.Node) -> bool:
    """Whether its condition Ready is True."""
    return is_true(node.status.conditions, "Ready")
