"""Which nodes a pod may and would like to run on."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import affinity, taints

LABELS = {"zone": "a", "cores": "8", "ssd": ""}

TERMS: list[tuple[str, str, list[str], bool]] = [
    ("zone", "In", ["a", "b"], True),
    ("zone", "In", ["b"], False),
    ("rack", "In", [""], False),
    ("zone", "NotIn", ["a"], False),
    ("zone", "NotIn", ["b"], True),
    ("rack", "NotIn", ["a"], True),
    ("ssd", "Exists", [], True),
    ("rack", "Exists", [], False),
    ("ssd", "DoesNotExist", [], False),
    ("rack", "DoesNotExist", [], True),
    ("cores", "Gt", ["7"], True),
    ("cores", "Gt", ["8"], False),
    ("cores", "Lt", ["9"], True),
    ("zone", "Gt", ["1"], False),
    ("rack", "Lt", ["1"], False),
]


def _term(*requirements: tuple[str, str, list[str]], field: str = "matchExpressions") -> Any:
    term = core.NodeSelectorTerm()
    for key, operator, values in requirements:
        getattr(term, field).add(key=key, operator=operator, values=values)
    return term


@pytest.mark.parametrize(("key", "operator", "values", "matches"), TERMS)
def test_operators(key: str, operator: str, values: list[str], matches: bool) -> None:
    term = _term((key, operator, values))
    assert affinity.term_matches(term, LABELS, "n1") is matches


def test_requirements_of_a_term_must_all_hold() -> None:
    term = _term(("zone", "In", ["a"]), ("rack", "Exists", []))
    assert not affinity.term_matches(term, LABELS, "n1")


def test_an_empty_term_matches_nothing() -> None:
    assert not affinity.term_matches(core.NodeSelectorTerm(), LABELS, "n1")


@pytest.mark.parametrize(("name", "matches"), [("n1", True), ("n2", False)])
def test_the_name_of_the_node(name: str, matches: bool) -> None:
    term = _term(("metadata.name", "In", ["n1"]), field="matchFields")
    assert affinity.term_matches(term, {}, name) is matches


def _spec(selector: dict[str, str], *terms: core.NodeSelectorTerm) -> core.PodSpec:
    spec = core.PodSpec(nodeSelector=selector)
    if terms:
        wanted = spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
        wanted.nodeSelectorTerms.extend(terms)
    return spec


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        (_spec({}), True),
        (_spec({"zone": "a"}), True),
        (_spec({"zone": "b"}), False),
        (_spec({}, _term(("zone", "In", ["b"])), _term(("ssd", "Exists", []))), True),
        (_spec({"zone": "b"}, _term(("ssd", "Exists", []))), False),
        (_spec({}, _term(("zone", "In", ["b"]))), False),
    ],
)
def test_allows(spec: core.PodSpec, allowed: bool) -> None:
    assert affinity.allows(spec, LABELS, "n1") is allowed


def test_preference_sums_the_weights() -> None:
    spec = core.PodSpec()
    terms = spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
    terms.add(weight=10, preference=_term(("zone", "In", ["a"])))
    terms.add(weight=5, preference=_term(("ssd", "Exists", [])))
    terms.add(weight=90, preference=_term(("zone", "In", ["b"])))
    assert affinity.preference(spec, LABELS, "n1") == 15


TAINT = core.Taint(key="gpu", value="yes", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "bears"),
    [
        (core.Toleration(key="gpu", operator="Exists"), True),
        (core.Toleration(key="gpu", operator="Exists", effect="NoSchedule"), True),
        (core.Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
        (core.Toleration(key="gpu", value="yes"), True),
        (core.Toleration(key="gpu", operator="Equal", value="no"), False),
        (core.Toleration(key="disk", operator="Exists"), False),
        (core.Toleration(operator="Exists"), True),
        (core.Toleration(), False),
    ],
)
def test_tolerates(toleration: core.Toleration, bears: bool) -> None:
    assert taints.tolerates(toleration, TAINT) is bears
    assert taints.tolerated(TAINT, [toleration]) is bears


def test_untolerated_names_the_first_that_matters() -> None:
    soft = core.Taint(key="soft", effect="PreferNoSchedule")
    evicting = core.Taint(key="gone", effect="NoExecute")
    assert taints.untolerated([soft, TAINT, evicting], []) is TAINT
    assert taints.untolerated([soft], []) is None
    assert taints.untolerated([TAINT, evicting], [], (taints.NO_EXECUTE,)) is evicting
    assert taints.untolerated([TAINT], [core.Toleration(operator="Exists")]) is None


def test_text() -> None:
    assert taints.text(TAINT) == "gpu=yes:NoSchedule"
    assert taints.text(core.Taint(key="gone", effect="NoExecute")) == "gone:NoExecute"
