"""JSON as Kubernetes writes it, both ways: forms, empties, and the path in every fault."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from google.protobuf.message import Message

from bench.codec import FULL, SMALL
from holdfast.api import codec, kinds
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.authentication.v1 import authentication_pb2 as authentication
from holdfast.api.codec.faults import CAUSES_MAX
from holdfast.api.coordination.v1 import coordination_pb2 as coordination
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, CauseReason, Reason
from holdfast.api.meta.v1 import meta_pb2 as meta


def read(message_type: type[Message], tree: Any) -> Any:
    message, causes = codec.from_json(message_type, tree)
    assert causes == []
    return message


@pytest.mark.parametrize("tree", [FULL, SMALL])
def test_a_pod_survives_both_ways(tree: dict[str, Any]) -> None:
    pod = read(core.Pod, tree)
    again = codec.to_json(core.Pod.FromString(pod.SerializeToString()))
    assert again == {"status": {}, **tree}
    assert read(core.Pod, again) == pod


def test_text_is_the_tree_with_its_type_first() -> None:
    pod = read(core.Pod, SMALL)
    tree = codec.to_json(pod, kinds.by_resource("pods"))
    assert list(tree)[:3] == ["apiVersion", "kind", "metadata"]
    assert orjson.loads(codec.to_json_bytes(pod, kinds.by_resource("pods"))) == tree


EMPTIES: list[tuple[Message, dict[str, Any]]] = [
    (core.Pod(), {"metadata": {}, "spec": {"containers": None}, "status": {}}),
    (core.ConfigMap(), {"metadata": {}}),
    (
        apps.Deployment(),
        {
            "metadata": {},
            "spec": {
                "selector": None,
                "template": {"metadata": {}, "spec": {"containers": None}},
                "strategy": {},
            },
            "status": {},
        },
    ),
    (core.Container(), {"name": "", "resources": {}}),
    (
        core.PodCondition(),
        {"type": "", "status": "", "lastProbeTime": None, "lastTransitionTime": None},
    ),
    (core.HTTPGetAction(), {"port": 0}),
    (core.ResourceFieldSelector(), {"resource": "", "divisor": "0"}),
    (core.Probe(), {}),
    (core.Volume(), {"name": ""}),
]


@pytest.mark.parametrize(("message", "tree"), EMPTIES, ids=lambda x: type(x).__name__)
def test_what_is_written_of_nothing(message: Message, tree: dict[str, Any]) -> None:
    assert codec.to_json(message) == tree
    assert read(type(message), tree).ByteSize() == 0


def test_presence_of_a_pointer_shows() -> None:
    spec = apps.DeploymentSpec(replicas=0)
    spec.selector.SetInParent()
    tree = codec.to_json(spec)
    assert tree["replicas"] == 0 and tree["selector"] == {}
    back = read(apps.DeploymentSpec, tree)
    assert back.HasField("replicas") and back.HasField("selector")
    pod = read(core.PodSpec, {"containers": [], "securityContext": {}, "hostNetwork": False})
    assert pod.HasField("securityContext") and not pod.HasField("hostNetwork")


def test_null_is_absent() -> None:
    spec = read(apps.DeploymentSpec, {"replicas": None, "selector": None, "template": None})
    assert spec.ByteSize() == 0


def test_inline_fields_stand_in_their_parent() -> None:
    tree = {"name": "v", "configMap": {"name": "web", "optional": False}}
    volume = read(core.Volume, tree)
    assert volume.volumeSource.configMap.localObjectReference.name == "web"
    assert codec.to_json(volume) == tree


SPECIAL: list[tuple[type[Message], str, list[tuple[Any, Any]]]] = [
    (core.HTTPGetAction, "port", [(80, 80), ("http", "http"), ("", ""), (0, 0)]),
    (
        core.EmptyDirVolumeSource,
        "sizeLimit",
        [("1Gi", "1Gi"), ("1024Mi", "1Gi"), (1.5, "1500m"), (3, "3"), (" 2 ", "2"), ("0", "0")],
    ),
    (
        meta.ObjectMeta,
        "creationTimestamp",
        [
            ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01T12:20:30.25+02:00", "2026-03-01T10:20:30Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("0999-12-31T23:59:59Z", "0999-12-31T23:59:59Z"),
        ],
    ),
    (
        coordination.LeaseSpec,
        "renewTime",
        [("2026-03-01T10:20:30.123456Z", "2026-03-01T10:20:30.123456Z")],
    ),
    (meta.ManagedFieldsEntry, "fieldsV1", [({"f:metadata": {".": {}}},) * 2]),
    (meta.APIResource, "verbs", [(["get", "list"],) * 2]),
    (authentication.UserInfo, "extra", [({"scopes": ["a", "b"]},) * 2]),
    (core.ConfigMap, "binaryData", [({"k": "AAEC/w=="},) * 2]),
    (core.ConfigMap, "data", [({"b": "2", "a": "1"},) * 2, ({"a": None}, {"a": ""})]),
    (apps.ControllerRevision, "data", [({"spec": [1, {"a": None}]},) * 2]),
    (core.PodSecurityContext, "supplementalGroups", [([1, 2**40],) * 2]),
    (core.ResourceRequirements, "limits", [({"cpu": "0.1", "x": 5}, {"cpu": "100m", "x": "5"})]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message_type", "name", "given", "written"),
    [(kind, name, *pair) for kind, name, pairs in SPECIAL for pair in pairs],
)
def test_special_forms(message_type: type[Message], name: str, given: Any, written: Any) -> None:
    tree = codec.to_json(read(message_type, {name: given}))
    assert tree[name] == written
    assert codec.to_json(read(message_type, tree)) == tree


WRONG: list[tuple[dict[str, Any], str, CauseReason, str]] = [
    ({"spec": {"containers": [{"image": 5}]}}, "spec.containers[0].image",
     CauseReason.TYPE_INVALID, "expected string, got number"),
    ({"metadata": {"labels": {"app": True}}}, "metadata.labels[app]",
     CauseReason.TYPE_INVALID, "expected string, got boolean"),
    ({"spec": []}, "spec", CauseReason.TYPE_INVALID, "expected object, got array"),
    ({"spec": {"containers": {}}}, "spec.containers",
     CauseReason.TYPE_INVALID, "expected array, got object"),
    ({"spec": {"containers": [None]}}, "spec.containers[0]",
     CauseReason.TYPE_INVALID, "expected object, got null"),
    ({"spec": {"hostNetwork": "yes"}}, "spec.hostNetwork",
     CauseReason.TYPE_INVALID, "expected boolean, got string"),
    ({"spec": {"priority": True}}, "spec.priority",
     CauseReason.TYPE_INVALID, "expected integer, got boolean"),
    ({"spec": {"priority": 1.5}}, "spec.priority",
     CauseReason.TYPE_INVALID, "expected integer, got number"),
    ({"spec": {"priority": 2**31}}, "spec.priority", CauseReason.INVALID, "out of range"),
    ({"metadata": {"generation": 2**63}}, "metadata.generation",
     CauseReason.INVALID, "out of range"),
    ({"metadata": {"creationTimestamp": "yesterday"}}, "metadata.creationTimestamp",
     CauseReason.INVALID, "is not a time"),
    ({"metadata": {"creationTimestamp": "2026-13-01T00:00:00Z"}}, "metadata.creationTimestamp",
     CauseReason.INVALID, "is not a time"),
    ({"spec": {"overhead": {"cpu": "much"}}}, "spec.overhead[cpu]",
     CauseReason.INVALID, "is not a quantity"),
    ({"spec": {"overhead": {"cpu": []}}}, "spec.overhead[cpu]",
     CauseReason.TYPE_INVALID, "expected quantity, got array"),
    ({"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": 2.5}}}]}},
     "spec.containers[0].livenessProbe.httpGet.port",
     CauseReason.TYPE_INVALID, "expected integer or string, got number"),
    ({"spec": {"volumes": [{"configMap": {"name": 1}}]}}, "spec.volumes[0].configMap.name",
     CauseReason.TYPE_INVALID, "expected string, got number"),
    ({"metadata": {"finalizers": ["a", 1]}}, "metadata.finalizers[1]",
     CauseReason.TYPE_INVALID, "expected string, got number"),
    ({"metadata": {"name": "\ud800"}}, "metadata.name", CauseReason.INVALID, "surrogate"),
    ({"metadata": {"annotations": {"a": "\udfff"}}}, "metadata.annotations[a]",
     CauseReason.INVALID, "surrogate"),
    ({"metadata": {"finalizers": ["\ud800"]}}, "metadata.finalizers[0]",
     CauseReason.INVALID, "surrogate"),
    ({"spec": {"containerz": []}}, "spec.containerz",
     CauseReason.INVALID, 'unknown field "spec.containerz", did you mean "containers"?'),
    ({"spec": {"containers": [{"xyzzy": 1}]}}, "spec.containers[0].xyzzy",
     CauseReason.INVALID, 'unknown field "spec.containers[0].xyzzy"'),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "path", "reason", "text"), WRONG)
def test_what_is_wrong_and_where(
    tree: dict[str, Any], path: str, reason: CauseReason, text: str
) -> None:
    _, causes = codec.from_json(core.Pod, tree)
    assert [(cause.field, cause.reason) for cause in causes] == [(path, reason)]
    assert text in causes[0].message


def test_all_faults_are_named_up_to_a_limit() -> None:
    tree = {"metadata": {"name": 1, "uid": 2}, "spec": {"nodeName": 3}}
    assert len(codec.from_json(core.Pod, tree)[1]) == 3
    flood = {f"field{index}": 1 for index in range(1000)}
    assert len(codec.from_json(core.Pod, flood)[1]) == CAUSES_MAX


def test_a_path_may_begin_elsewhere() -> None:
    _, causes = codec.from_json(core.Pod, {"spec": 1}, path="items[3]")
    assert causes[0].field == "items[3].spec"


def test_not_strict_warns_of_unknown_fields_and_refuses_wrong_types() -> None:
    message, warnings = codec.from_json(core.ConfigMap, {"dta": {}}, strict=False)
    assert message.ByteSize() == 0 and codec.is_unknown(warnings[0])
    with pytest.raises(ApiError, match=r"data\[a\]: expected string") as caught:
        codec.from_json(core.ConfigMap, {"data": {"a": 1}, "x": 1}, strict=False)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_type_fields_stand_on_objects_only() -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    assert read(apps.StatefulSetSpec, {"volumeClaimTemplates": [claim]}).volumeClaimTemplates
    _, causes = codec.from_json(apps.DeploymentSpec, {"template": {"kind": "Pod"}})
    assert causes[0].field == "template.kind"


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ([], "expected an object, got array"),
        ({"kind": "Pod"}, "apiVersion is not set"),
        ({"apiVersion": "v1", "kind": 5}, "kind is not set"),
        ({"apiVersion": "v1", "kind": "Pond"}, "Pond"),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spek": {}},
            'Pod "web" cannot be read: spek: unknown field "spek", did you mean "spec"?',
        ),
    ],
)
def test_objects_that_are_none(tree: Any, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        codec.decode_object(tree)
    assert text in caught.value.message
    assert caught.value.reason is Reason.BAD_REQUEST


def test_an_object_is_decoded_by_its_type() -> None:
    kind, message = codec.decode_object({"apiVersion": "v1", "kind": "Pod", **SMALL})
    assert kind.kind == "Pod" and isinstance(message, core.Pod)


def test_the_revision_is_added_to_stored_bytes() -> None:
    pod = read(core.Pod, SMALL)
    sent = core.Pod.FromString(codec.with_revision(pod.SerializeToString(), 2**63 - 1))
    assert sent.metadata.resourceVersion == str(2**63 - 1)
    sent.metadata.ClearField("resourceVersion")
    assert sent == pod


def test_every_type_of_the_schema_writes_and_reads_its_empty_message() -> None:
    for kind in kinds.all_kinds():
        tree = codec.to_json(kind.message())
        message, causes = codec.from_json(kind.message, tree)
        assert not causes and message.ByteSize() == 0, kind.kind
