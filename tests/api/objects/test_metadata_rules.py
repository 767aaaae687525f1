"""Rules for metadata, the same for every kind."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api import kinds, objects
from holdfast.api.core.v1 import core_pb2

OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1"}

ROWS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
    ({"name": "Web"}, 'metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain'),
    ({"name": "a" * 254}, "must be no more than 253 bytes"),
    ({"name": "a..b"}, "metadata.name: Invalid value"),
    ({"name": "a/b"}, "metadata.name: Invalid value"),
    ({"generateName": "Web-"}, "metadata.generateName: Invalid value"),
    ({"namespace": ""}, "metadata.namespace: Required value"),
    ({"namespace": "a.b"}, "metadata.namespace: Invalid value"),
    ({"labels": {"": "a"}}, "metadata.labels: Invalid value"),
    ({"labels": {"/a": "a"}}, "prefix part must be non-empty"),
    ({"labels": {"a/b/c": "a"}}, "metadata.labels: Invalid value"),
    ({"labels": {"Ex.com/a": "a"}}, "prefix part a lowercase RFC 1123 subdomain"),
    ({"labels": {"a": "b c"}}, 'metadata.labels[a]: Invalid value: "b c": a valid label must'),
    ({"labels": {"a": "b" * 64}}, "must be no more than 63 bytes"),
    ({"annotations": {"a b": ""}}, 'metadata.annotations: Invalid value: "a b"'),
    ({"annotations": {"a": "x" * (1 << 18)}}, "Too long: may not be more than 262144 bytes"),
    ({"finalizers": ["mine"]}, "neither a standard finalizer name nor is it fully qualified"),
    ({"finalizers": ["a b/c"]}, "metadata.finalizers[0]: Invalid value"),
    ({"finalizers": ["orphan", "foregroundDeletion"]}, "cannot be both set"),
    ({"ownerReferences": [{**OWNER, "uid": ""}]}, "metadata.ownerReferences[0].uid: Required"),
    ({"ownerReferences": [{**OWNER, "kind": "Event"}]}, "is disallowed from being an owner"),
    (
        {"ownerReferences": [{**OWNER, "controller": True}] * 2},
        "only one reference can have controller set to true",
    ),
]


def _tree(**meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "default", **meta}}


@pytest.mark.parametrize(("meta", "cause"), ROWS)
def test_rules(judge: Any, meta: Any, cause: str) -> None:
    found = judge.causes("configmaps", _tree(**meta))
    assert len(found) == 1, found
    assert cause in found[0]


def test_what_is_usual_is_fine(judge: Any) -> None:
    tree = _tree(
        generateName="web-",
        labels={"app.kubernetes.io/name": "web", "a": "", "X_y.z": "A.b_c-1"},
        annotations={"Example.com/Any": "✓ anything\n"},
        finalizers=["example.com/wait", "foregroundDeletion"],
        ownerReferences=[{**OWNER, "controller": True}, OWNER],
    )
    assert judge.causes("configmaps", tree) == []


def test_cluster_wide_kinds_have_no_namespace(judge: Any) -> None:
    assert judge.causes("nodes", _tree()) == [
        "metadata.namespace: Forbidden: not allowed on this type"
    ]


@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
def test_identity_stays(judge: Any, field: str) -> None:
    found = judge.update("configmaps", _tree(uid="1"), _tree(**{"uid": "1", field: "other"}))
    assert found == [f'metadata.{field}: Invalid value: "other": field is immutable']


def test_times_stay_but_may_be_left_out(judge: Any) -> None:
    old = _tree(creationTimestamp="2026-01-01T00:00:00Z")
    assert judge.update("configmaps", old, _tree()) == []
    new = _tree(creationTimestamp="2026-01-02T00:00:00Z")
    assert judge.update("configmaps", old, new)[0].startswith("metadata.creationTimestamp: Inv")


def test_no_finalizer_is_added_to_what_is_being_deleted(judge: Any) -> None:
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    old = _tree(finalizers=["a/b"], **gone)
    assert judge.update("configmaps", old, _tree(**gone)) == []
    found = judge.update("configmaps", old, _tree(finalizers=["a/b", "c/d"], **gone))
    assert found[0].startswith("metadata.finalizers: Forbidden: no new finalizers can be added")


def test_rules_do_not_change_the_object() -> None:
    message = core_pb2.ConfigMap()
    message.metadata.name = "a"
    before = message.SerializeToString(deterministic=True)
    kind = kinds.by_resource("configmaps")
    objects.validate(kind, message)
    objects.unbuilt(kind, message)
    assert message.SerializeToString(deterministic=True) == before
