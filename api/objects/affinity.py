"""Which nodes a pod asks for: nodeSelector and node affinity. Pure module.

Source: component-helpers scheduling/corev1/nodeaffinity. Terms are alternatives, requirements
inside a term must all hold, an empty term matches no node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

NAME_FIELD = "metadata.name"


def _holds(requirement: core.NodeSelectorRequirement, value: str | None) -> bool:
    operator, values = requirement.operator, requirement.values
    if operator == "In":
        return value is not None and value in values
    if operator == "NotIn":
        return value is None or value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    return _compares(operator, value, values[0] if values else "")


def _compares(operator: str, value: str | None, limit: str) -> bool:
    """Gt and Lt: both sides as integers; what is no integer never matches."""
    try:
        left, right = int(value or ""), int(limit)
    except ValueError:
        return False
    return left > right if operator == "Gt" else operator == "Lt" and left < right


def term_matches(term: core.NodeSelectorTerm, labels: Mapping[str, str], name: str) -> bool:
    """Whether a node of these labels and this name fulfils one term."""
    if not term.matchExpressions and not term.matchFields:
        return False
    return all(_holds(r, labels.get(r.key)) for r in term.matchExpressions) and all(
        _holds(r, name if r.key == NAME_FIELD else None) for r in term.matchFields
    )


def allows(spec: core.PodSpec, labels: Mapping[str, str], name: str) -> bool:
    """Whether nodeSelector and the required node affinity let the pod run on this node."""
    for key, value in spec.nodeSelector.items():
        if labels.get(key) != value:
            return False
    wanted = spec.affinity.nodeAffinity
    if not wanted.HasField("requiredDuringSchedulingIgnoredDuringExecution"):
        return True
    terms = wanted.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
    return any(term_matches(term, labels, name) for term in terms)


def preference(spec: core.PodSpec, labels: Mapping[str, str], name: str) -> int:
    """The weight (each term 1–100, summed) with which the pod prefers this node."""
    return sum(
        term.weight
        for term in spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
        if term_matches(term.preference, labels, name)
    )
