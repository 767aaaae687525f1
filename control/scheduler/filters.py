"""Which nodes can take a pod, and why the others cannot.

The rules are those of Kubernetes' default plugins, judged in their order; the first that a node
fails is its reason, except that every resource that falls short is named. What depends only on
the node (`rule`) is judged when the node changes; what depends on its use (`shortages`, ports) at
every placement. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import affinity, taints
from holdfast.api.objects.requests import PODS

if TYPE_CHECKING:
    from holdfast.control.scheduler.shapes import Shape
    from holdfast.control.scheduler.table import NodeTable

UNSCHEDULABLE = "node(s) were unschedulable"
AFFINITY = "node(s) didn't match Pod's node affinity/selector"
PORTS = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY_PODS = "Too many pods"
CORDON = core.Taint(key=taints.UNSCHEDULABLE, effect=taints.NO_SCHEDULE)
"""How a cordoned node counts, so that tolerations of this taint bear it."""


def rule(shape: Shape, node: core.Node, labels: dict[str, str]) -> str:
    """The reason the node's own state gives against pods of this shape; "" = none."""
    reason = rule_of_sort(shape, node)
    if not reason and shape.chooses and not affinity.allows(shape.spec, labels, node.metadata.name):
        return AFFINITY
    return reason


def rule_of_sort(shape: Shape, node: core.Node) -> str:
    """The part of `rule` that is the same for all nodes of a sort: cordon and taints."""
    tolerations = shape.spec.tolerations
    if node.spec.unschedulable and not taints.tolerated(CORDON, tolerations):
        return UNSCHEDULABLE
    taint = taints.untolerated(node.spec.taints, tolerations) if node.spec.taints else None
    return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}" if taint else ""


def keys(terms: Iterable[core.NodeSelectorTerm]) -> list[str] | None:
    """The labels that terms ask about; None when they ask about the node's name too."""
    found: dict[str, None] = {}
    for term in terms:
        if term.matchFields:
            return None
        found.update(dict.fromkeys(each.key for each in term.matchExpressions))
    return list(found)


def named_nodes(spec: core.PodSpec) -> list[str] | None:
    """The only nodes that required affinity names by metadata.name; None when it names none.

    Pods that are made for one node each (as those of a DaemonSet) need not be judged on all.
    """
    wanted = spec.affinity.nodeAffinity
    if not wanted.HasField("requiredDuringSchedulingIgnoredDuringExecution"):
        return None
    names: list[str] = []
    for term in wanted.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms:
        fields = [f for f in term.matchFields if f.key == affinity.NAME_FIELD]
        chosen = next((f for f in fields if f.operator == "In"), None)
        if chosen is None:
            return None
        names += chosen.values
    return names


def has_ports(shape: Shape, table: NodeTable, slot: int) -> bool:
    """Whether the node's own ports that the shape wants are free."""
    taken = table.ports.get(slot)
    if not taken:
        return True
    return not any(
        wanted.clashes(other)
        for others in taken.values()
        for other in others
        for wanted in shape.ports
    )


def fits(shape: Shape, table: NodeTable, slot: int) -> bool:
    """Whether resources and ports suffice on one node."""
    for resource, amount in shape.requests.items():
        row = table.rows.get(resource)
        if row is None or table.free[row, slot] < amount:
            return False
    return not shape.ports or has_ports(shape, table, slot)


def shortage(resource: str) -> str:
    """The reason when a resource does not suffice."""
    return TOO_MANY_PODS if resource == PODS else f"Insufficient {resource}"
