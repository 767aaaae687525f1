"""Which of the nodes that can is best: a sum of parts, each depending on its own node alone.

That is why nothing is scaled by the best or worst node, as Kubernetes' plugins do: after a
placement only one entry of a score vector changes. The weights order the parts as there: soft
taints over spreading and wishes, those over even use. Pods count as a resource beside CPU and
memory, which spreads pods that ask for nothing. Pure module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from holdfast.api.objects import affinity, taints
from holdfast.api.objects.requests import CPU, MEMORY, PODS

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.control.scheduler.shapes import Shape
    from holdfast.control.scheduler.table import NodeTable

Floats = npt.NDArray[np.float64]

SPREAD_WEIGHT = 200.0
WISH_WEIGHT = 200.0
TAINT_WEIGHT = 300.0
USE_WEIGHT = 100.0
COUNTED = (CPU, MEMORY, PODS)


def own(shape: Shape, node: core.Node, labels: dict[str, str]) -> float:
    """The part that follows from the node's own state."""
    return of_sort(shape, node) + wishes(shape, node, labels)


def of_sort(shape: Shape, node: core.Node) -> float:
    """The part that is the same for all nodes of a sort: soft taints that the pod must bear."""
    soft = sum(
        taint.effect == taints.PREFER_NO_SCHEDULE
        and not taints.tolerated(taint, shape.spec.tolerations)
        for taint in node.spec.taints
    )
    return TAINT_WEIGHT / (1 + soft) - TAINT_WEIGHT


def wishes(shape: Shape, node: core.Node, labels: dict[str, str]) -> float:
    """The share of the pod's preferences that the node fulfils."""
    wanted = shape.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
    most = sum(wish.weight for wish in wanted)
    if not most:
        return 0.0
    return WISH_WEIGHT * affinity.preference(shape.spec, labels, node.metadata.name) / most


def use(shape: Shape, table: NodeTable, slots: npt.NDArray[np.intp]) -> Floats:
    """The part that follows from the use of some nodes, the pod included: free and balanced."""
    rows = np.array([[table.rows[resource]] for resource in COUNTED])
    asked = np.array([[shape.requests.get(resource, 0)] for resource in COUNTED], np.float64)
    offered = np.maximum(table.offered[rows, slots], 1).astype(np.float64)
    part = (table.free[rows, slots] - asked) / offered
    np.clip(part, 0.0, 1.0, out=part)
    balance = 1.0 - np.abs(part[0] - part[1]) / 2
    found: Floats = USE_WEIGHT * (part.sum(axis=0) / len(COUNTED) + balance)
    return found


def use_of_one(shape: Shape, table: NodeTable, slot: int) -> float:
    """`use` for a single node, without numpy's cost for small arrays."""
    parts = []
    for resource in COUNTED:
        row = table.rows[resource]
        offered = max(1, int(table.offered[row, slot]))
        part = (int(table.free[row, slot]) - shape.requests.get(resource, 0)) / offered
        parts.append(min(1.0, max(0.0, part)))
    balance = 1.0 - abs(parts[0] - parts[1]) / 2
    return USE_WEIGHT * (sum(parts) / len(COUNTED) + balance)


def spread(count: int) -> float:
    """The part that follows from how many pods of the same owner are there already."""
    return SPREAD_WEIGHT / (1 + count)
