"""Whether a pod bears a node's taints. Pure module.

Source: component-helpers scheduling/corev1 ToleratesTaint and the API's documentation of
Toleration. The scheduler asks for NoSchedule and NoExecute, the node lifecycle for NoExecute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

NO_SCHEDULE = "NoSchedule"
PREFER_NO_SCHEDULE = "PreferNoSchedule"
NO_EXECUTE = "NoExecute"
EFFECTS = (NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE)

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def tolerates(toleration: core.Toleration, taint: core.Taint) -> bool:
    """Whether one toleration covers one taint. An empty effect means every effect, an empty key
    with Exists every key."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value


def tolerated(taint: core.Taint, tolerations: Iterable[core.Toleration]) -> bool:
    """Whether any toleration covers the taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)


def untolerated(
    taints: Iterable[core.Taint],
    tolerations: Iterable[core.Toleration],
    effects: tuple[str, ...] = (NO_SCHEDULE, NO_EXECUTE),
) -> core.Taint | None:
    """The first taint of these effects that no toleration covers, None when all are borne."""
    for taint in taints:
        if taint.effect in effects and not tolerated(taint, tolerations):
            return taint
    return None


def text(taint: core.Taint) -> str:
    """A taint as people write it: "key=value:NoSchedule", "key:NoExecute"."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"
