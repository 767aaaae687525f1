"""Rules for what steers a pod to a node: selectors, node affinity, tolerations. Pure module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects import labels, taints
from holdfast.api.objects.affinity import NAME_FIELD

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

WEIGHT_MAX = 100
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def validate(spec: core.PodSpec, path: str, found: Findings) -> None:
    """nodeSelector, node affinity and tolerations of one pod spec."""
    if spec.nodeSelector:
        labels.validate(spec.nodeSelector, f"{path}.nodeSelector", found)
    if spec.affinity.HasField("nodeAffinity"):
        _node_affinity(spec.affinity.nodeAffinity, f"{path}.affinity.nodeAffinity", found)
    if spec.tolerations:
        _tolerations(spec.tolerations, f"{path}.tolerations", found)


def _node_affinity(item: core.NodeAffinity, path: str, found: Findings) -> None:
    if item.HasField("requiredDuringSchedulingIgnoredDuringExecution"):
        at = f"{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        terms = item.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
        if not terms:
            found.required(at, "must have at least one node selector term")
        for index, term in enumerate(terms):
            _term(term, f"{at}[{index}]", found)
    for index, preferred in enumerate(item.preferredDuringSchedulingIgnoredDuringExecution):
        at = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        if not 1 <= preferred.weight <= WEIGHT_MAX:
            found.invalid(f"{at}.weight", preferred.weight, f"must be in the range 1-{WEIGHT_MAX}")
        _term(preferred.preference, f"{at}.preference", found)


def _term(term: core.NodeSelectorTerm, path: str, found: Findings) -> None:
    for index, requirement in enumerate(term.matchExpressions):
        at = f"{path}.matchExpressions[{index}]"
        found.name(f"{at}.key", requirement.key, names.qualified(requirement.key))
        _values(requirement, at, found)
    for index, requirement in enumerate(term.matchFields):
        at = f"{path}.matchFields[{index}]"
        if requirement.key != NAME_FIELD:
            found.invalid(f"{at}.key", requirement.key, "not a valid field selector key")
        if requirement.operator not in ("In", "NotIn"):
            found.one_of(f"{at}.operator", requirement.operator, ("In", "NotIn"))
        elif len(requirement.values) != 1:
            found.required(f"{at}.values", "must be only one value when `operator` is 'In' or "
                           "'NotIn' for node field selector")  # fmt: skip


def _values(requirement: core.NodeSelectorRequirement, path: str, found: Findings) -> None:
    operator, values = requirement.operator, requirement.values
    if operator not in _OPERATORS:
        found.one_of(f"{path}.operator", operator, _OPERATORS)
    elif operator in ("In", "NotIn"):
        if not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            found.required(f"{path}.values", detail)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.forbidden(f"{path}.values", detail)
    elif len(values) != 1:
        detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        found.required(f"{path}.values", detail)
    elif not values[0].removeprefix("-").isdecimal():
        found.invalid(f"{path}.values[0]", values[0], "must be an integer")


def _tolerations(tolerations: Iterable[core.Toleration], path: str, found: Findings) -> None:
    for index, item in enumerate(tolerations):
        at = f"{path}[{index}]"
        if item.key:
            found.rule(f"{at}.key", item.key, names.qualified(item.key))
        elif item.operator != "Exists":
            detail = (
                "operator must be Exists when `key` is empty, which means "
                '"match all values and all keys"'
            )
            found.invalid(f"{at}.operator", item.operator, detail)
        if item.HasField("tolerationSeconds") and item.effect != taints.NO_EXECUTE:
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.invalid(f"{at}.effect", item.effect, detail)
        if item.operator == "Exists":
            if item.value:
                detail = "value must be empty when `operator` is 'Exists'"
                found.invalid(f"{at}.operator", item.value, detail)
        elif item.operator in ("", "Equal"):
            found.rule(f"{at}.value", item.value, names.label_value(item.value))
        else:
            found.unsupported(f"{at}.operator", item.operator, ("Equal", "Exists"))
        if item.effect and item.effect not in taints.EFFECTS:
            found.unsupported(f"{at}.effect", item.effect, taints.EFFECTS)
