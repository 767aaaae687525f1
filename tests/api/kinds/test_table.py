"""The table of kinds: complete, unambiguous, and found by every word people use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.api import kinds
from holdfast.api.errors import ApiError, Reason
from holdfast.api.objects.strategies.table import STRATEGIES

PROTO = Path(__file__).parents[3] / "proto" / "holdfast" / "api"
# Messages with metadata that are no resource: parts of others, or asked through a subresource.
NOT_RESOURCES = {
    "JobTemplateSpec", "PersistentVolumeClaimTemplate", "PodTemplateSpec", "PodStatusResult",
    "PartialObjectMetadata", "Eviction", "RangeAllocation", "Scale", "TokenRequest",
}  # fmt: skip


def test_resources_and_kinds_are_unique() -> None:
    table = kinds.all_kinds()
    assert len({kind.resource for kind in table}) == len(table)
    assert len({(kind.api_version, kind.kind) for kind in table}) == len(table)


@pytest.mark.parametrize("kind", kinds.all_kinds(), ids=lambda kind: kind.resource)
def test_entries(kind: kinds.Kind) -> None:
    descriptor = kind.message.DESCRIPTOR
    assert descriptor.name == kind.kind
    assert descriptor.fields_by_number[1].name == "metadata"
    assert kinds.by_resource(kind.resource) is kind
    assert kinds.by_kind(kind.api_version, kind.kind) is kind
    assert kinds.by_word(f"{kind.plural}.{kind.version}.{kind.group}") is kind
    assert kind.list_kind == kind.kind + "List"
    empty = kind.message()
    for column in kind.columns:
        assert isinstance(column.getter(empty, 0.0), str), column.name
    for label, getter in kind.selectable.items():
        assert isinstance(getter(empty), str), label
    assert empty.SerializeToString() == kind.message().SerializeToString(), "a getter wrote"


def test_every_object_of_the_schema_is_in_the_table() -> None:
    known = {kind.kind for kind in kinds.all_kinds()} | NOT_RESOURCES
    missing = []
    for path in PROTO.glob("*/v*/*.proto"):
        for block in path.read_text().split("\nmessage ")[1:]:
            name = block.split(" ", 1)[0]
            has_metadata = "optional .holdfast.api.meta.v1.ObjectMeta metadata = 1" in block
            if has_metadata and name not in known:
                missing.append(f"{path.name}: {name}")
    assert not missing


def test_built_kinds_have_rules_and_only_they() -> None:
    assert {kind.resource for kind in kinds.all_kinds() if kind.built} == set(STRATEGIES)


@pytest.mark.parametrize(
    ("word", "resource"),
    [
        ("po", "pods"),
        ("pod", "pods"),
        ("Pods", "pods"),
        ("deploy", "deployments.apps"),
        ("deploy.apps", "deployments.apps"),
        ("deployments.v1.apps", "deployments.apps"),
        ("Deployment", "deployments.apps"),
        ("svc", "services"),
        ("ns", "namespaces"),
        ("cm", "configmaps"),
        ("ev", "events"),
        ("events", "events"),
        ("events.events.k8s.io", "events.events.k8s.io"),
        ("endpointslices", "endpointslices.discovery.k8s.io"),
        ("hpa", "horizontalpodautoscalers.autoscaling"),
        ("netpol", "networkpolicies.networking.k8s.io"),
        ("csr", "certificatesigningrequests.certificates.k8s.io"),
    ],
)
def test_words(word: str, resource: str) -> None:
    assert kinds.by_word(word).resource == resource


@pytest.mark.parametrize("word", ["", "pod.apps", "widgets", "deployments.v2.apps"])
def test_unknown_words(word: str) -> None:
    for find in (kinds.by_word, kinds.by_resource):
        with pytest.raises(ApiError) as caught:
            find(word)
        assert caught.value.reason is Reason.NOT_FOUND
        assert caught.value.message == f'the server doesn\'t have a resource type "{word}"'


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        ("v1", "Widget", 'no kind "Widget" is registered for version "v1"'),
        (
            "extensions/v1beta1",
            "Deployment",
            'no kind "Deployment" is registered for version "extensions/v1beta1": Deployment is '
            "served as apps/v1",
        ),
    ],
)
def test_unknown_kinds(api_version: str, kind: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        kinds.by_kind(api_version, kind)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert caught.value.message == message


def test_what_is_not_built_is_refused_by_name() -> None:
    assert kinds.require_built(kinds.by_word("pods")).kind == "Pod"
    with pytest.raises(ApiError) as caught:
        kinds.require_built(kinds.by_word("sts"))
    assert caught.value.reason is Reason.NOT_BUILT
    assert caught.value.message == "StatefulSet (apps/v1) is not built yet"


def test_get_all_means_the_built_ones() -> None:
    found = [kind.resource for kind in kinds.by_category("all")]
    assert found == ["pods", "services", "deployments.apps", "replicasets.apps"]


def test_subresources() -> None:
    pods, deployments = kinds.by_word("pods"), kinds.by_word("deploy")
    assert kinds.subresource_message(pods, "") is pods.message
    assert kinds.subresource_message(pods, "status") is pods.message
    assert kinds.subresource_message(pods, "binding").DESCRIPTOR.name == "Binding"
    assert kinds.subresource_message(deployments, "scale").DESCRIPTOR.name == "Scale"
    with pytest.raises(ApiError) as caught:
        kinds.subresource_message(pods, "scale")
    assert caught.value.reason is Reason.NOT_FOUND


def test_selectable_fields_of_a_pod() -> None:
    pods = kinds.by_word("pods")
    pod = pods.message()
    pod.spec.nodeName, pod.spec.hostNetwork = "n1", True  # type: ignore[attr-defined]
    assert pods.selectable["spec.nodeName"](pod) == "n1"
    assert pods.selectable["spec.hostNetwork"](pod) == "true"
    assert pods.selectable["metadata.name"](pod) == ""


def test_the_table_alone_loads_no_object_schema() -> None:
    program = "import sys; from holdfast.api import kinds; kinds.by_word('po'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert "holdfast.api.core.v1.core_pb2" not in run.stdout.decode().split()
