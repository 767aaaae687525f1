"""Rules for nodes, namespaces, leases and events."""

from __future__ import annotations

from typing import Any

import pytest


def _tree(name: str = "n1", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **fields}


def _taints(*taints: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"taints": list(taints)}}


TAINT = {"key": "a", "value": "b", "effect": "NoSchedule"}

NODE_ROWS: list[tuple[dict[str, Any], str]] = [
    (_taints({**TAINT, "key": ""}), "spec.taints[0].key: Required value"),
    (_taints({**TAINT, "key": "a b"}), 'spec.taints[0].key: Invalid value: "a b"'),
    (_taints({**TAINT, "value": "!"}), 'spec.taints[0].value: Invalid value: "!"'),
    (_taints({**TAINT, "effect": "Never"}), 'spec.taints[0].effect: Unsupported value: "Never"'),
    (_taints(TAINT, {**TAINT, "value": "c"}), 'spec.taints[1]: Duplicate value: "a=c:NoSchedule"'),
    ({"spec": {"podCIDR": "10.244.0.0"}}, "spec.podCIDRs[0]: Invalid value"),
    ({"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.2.0.0/24"]}}, "first value must match"),
]


@pytest.mark.parametrize(("fields", "cause"), NODE_ROWS)
def test_nodes(judge: Any, fields: Any, cause: str) -> None:
    found = judge.causes("nodes", _tree(**fields))
    assert len(found) == 1, found
    assert cause in found[0]


def test_allocatable_is_the_capacity_unless_said(judge: Any) -> None:
    tree = _tree(status={"capacity": {"cpu": "4", "memory": "8Gi"}, "allocatable": {"cpu": "3"}})
    found = judge.defaulted("nodes", tree)
    assert found["status"]["allocatable"] == {"cpu": "3", "memory": "8Gi"}


def test_the_pod_range_stays(judge: Any) -> None:
    old, new = {"podCIDR": "10.244.1.0/24"}, {"podCIDR": "10.244.2.0/24"}
    assert judge.update("nodes", _tree(), _tree(spec=old)) == []
    assert judge.update("nodes", _tree(spec=old), _tree(spec=new)) == [
        'spec.podCIDR: Invalid value: "10.244.2.0/24": may not change once set'
    ]
    cordoned = {**old, "unschedulable": True, "taints": [TAINT]}
    assert judge.update("nodes", _tree(spec=old), _tree(spec=cordoned)) == []


def test_namespaces(judge: Any) -> None:
    found = judge.defaulted("namespaces", _tree("shop"))
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["status"] == {"phase": "Active"}
    assert judge.causes("namespaces", _tree("shop.eu"))[0].startswith("metadata.name: Invalid")


def test_a_namespace_that_goes_gets_no_finalizer_back(judge: Any) -> None:
    found = judge.defaulted("namespaces", _tree("shop", status={"phase": "Terminating"}))
    assert "finalizers" not in found.get("spec", {})


def test_leases(judge: Any) -> None:
    tree = {"metadata": {"name": "a", "namespace": "b"}}
    tree["spec"] = {"leaseDurationSeconds": 0, "leaseTransitions": -1}  # type: ignore[dict-item]
    assert judge.causes("leases.coordination.k8s.io", tree) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ]


@pytest.mark.parametrize(
    ("namespace", "about", "fine"),
    [("shop", "shop", True), ("default", "", True), ("shop", "", False), ("shop", "x", False)],
)
def test_events(judge: Any, namespace: str, about: str, fine: bool) -> None:
    tree = {
        "metadata": {"name": "a", "namespace": namespace},
        "involvedObject": {"namespace": about, "uid": "1"},
    }
    found = judge.causes("events", tree)
    assert found == [] if fine else found[0].startswith("involvedObject.namespace: Invalid")
    other = {**tree, "involvedObject": {"namespace": about, "uid": "2"}}
    assert judge.update("events", tree, {**tree, "count": 2}) == []
    assert judge.update("events", tree, other)[0].startswith("involvedObject.uid: Invalid")
