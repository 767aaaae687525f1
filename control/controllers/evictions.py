"""When a pod must leave a node with NoExecute taints, and how. Pure module.

Kubernetes' rule: a pod that does not tolerate such a taint goes at once, one that tolerates it
for tolerationSeconds goes then. Its admission gives every pod 300 s for `not-ready` and
`unreachable`; here a pod that says nothing of them has 300 s for `not-ready`, and for
`unreachable`, our verdict that the node is dead, no time at all if something will replace it. A
pod that nothing replaces keeps the 300 s: haste would gain nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.api.objects import owners, readiness, taints

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

PATIENCE_S = 300.0


def no_execute(node: core.Node) -> list[core.Taint]:
    """The taints that make pods leave."""
    return [taint for taint in node.spec.taints if taint.effect == taints.NO_EXECUTE]


def is_dead(node: core.Node) -> bool:
    """Whether the node was judged dead: it will not answer, not even to a deletion."""
    return any(taint.key == taints.UNREACHABLE for taint in no_execute(node))


def is_replaced(pod: core.Pod) -> bool:
    """Whether a controller makes a new pod in its place, under another name. (One of a stateful
    set takes its identity along and must not run twice.)"""
    owner = owners.controller_of(pod.metadata)
    return owner is not None and owner.kind != "StatefulSet"


def due_at(pod: core.Pod, node: core.Node) -> float | None:
    """When the pod must leave the node, Unix seconds; 0 = at once, None = never."""
    due: float | None = None
    for taint in no_execute(node):
        wait_s = _patience(pod, taint)
        if wait_s is not None:
            when = _since(taint, node) + wait_s if wait_s > 0 else 0.0
            due = when if due is None else min(due, when)
    return due


def _patience(pod: core.Pod, taint: core.Taint) -> float | None:
    """How long the pod bears a taint: the shortest of its tolerations of it; None = for ever."""
    bearing = [each for each in pod.spec.tolerations if taints.tolerates(each, taint)]
    if bearing:
        limits = _limits(bearing)
        return max(0.0, min(limits)) if limits else None
    if taint.key == taints.NOT_READY or (taint.key == taints.UNREACHABLE and not is_replaced(pod)):
        return PATIENCE_S
    return 0.0


def _limits(tolerations: Iterable[core.Toleration]) -> list[float]:
    return [
        float(each.tolerationSeconds) for each in tolerations if each.HasField("tolerationSeconds")
    ]


def _since(taint: core.Taint, node: core.Node) -> float:
    """When the taint was put on; when it does not say, since the node's Ready last turned."""
    if taint.HasField("timeAdded"):
        return float(taint.timeAdded.seconds)
    ready = readiness.condition(node.status.conditions, "Ready")
    if ready is not None:
        return float(ready.lastTransitionTime.seconds)
    return float(node.metadata.creationTimestamp.seconds)
