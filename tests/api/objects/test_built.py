"""What is not built is refused by name, never accepted and ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.api import kinds, objects
from holdfast.api.apps.v1 import apps_pb2
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, CauseReason, Reason
from holdfast.api.meta.v1 import meta_pb2
from holdfast.api.objects import built

HTTP = {"httpGet": {"port": 80}}

POD_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"priorityClassName": "high"}, "spec.priorityClassName"),
    ({"priority": 5}, "spec.priority"),
    ({"imagePullSecrets": [{"name": "s"}]}, "spec.imagePullSecrets"),
    ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "spec.topologySpreadConstraints"),
    ({"ephemeralContainers": [{"name": "d"}]}, "spec.ephemeralContainers"),
    ({"affinity": {"podAffinity": {}}}, "spec.affinity.podAffinity"),
    ({"affinity": {"podAntiAffinity": {}}}, "spec.affinity.podAntiAffinity"),
    ({"schedulerName": "mine"}, "spec.schedulerName"),
    ({"runtimeClassName": "gvisor"}, "spec.runtimeClassName"),
    ({"hostPID": True}, "spec.hostPID"),
    ({"hostUsers": False}, "spec.hostUsers"),
    ({"dnsPolicy": "ClusterFirstWithHostNet"}, "spec.dnsPolicy"),
    ({"activeDeadlineSeconds": 5}, "spec.activeDeadlineSeconds"),
    ({"securityContext": {"fsGroup": 1}}, "spec.securityContext.fsGroup"),
    ({"securityContext": {"sysctls": [{"name": "a"}]}}, "spec.securityContext.sysctls"),
    ({"volumes": [{"name": "v", "nfs": {"server": "s"}}]}, "spec.volumes[0].nfs"),
    (
        {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
        "spec.volumes[0].persistentVolumeClaim",
    ),
    ({"volumes": [{"name": "v", "projected": {}}]}, "spec.volumes[0].projected"),
    (
        {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
        "spec.volumes[0].emptyDir.sizeLimit",
    ),
    ({"overhead": {"cpu": "1"}}, "spec.overhead"),
]

CONTAINER_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"startupProbe": HTTP}, "startupProbe"),
    ({"livenessProbe": {"grpc": {"port": 1}}}, "livenessProbe.grpc"),
    ({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}, "lifecycle"),
    ({"stdin": True}, "stdin"),
    ({"restartPolicy": "Always"}, "restartPolicy"),
    ({"terminationMessagePath": "/x"}, "terminationMessagePath"),
    ({"terminationMessagePolicy": "FallbackToLogsOnError"}, "terminationMessagePolicy"),
    ({"volumeMounts": [{"name": "data", "subPath": "x"}]}, "volumeMounts[0].subPath"),
    (
        {"volumeMounts": [{"name": "data", "mountPropagation": "Bidirectional"}]},
        "volumeMounts[0].mountPropagation",
    ),
    ({"ports": [{"containerPort": 1, "protocol": "SCTP"}]}, "ports[0].protocol"),
    ({"resources": {"requests": {"nvidia.com/gpu": "1"}}}, "resources.requests[nvidia.com/gpu]"),
    (
        {"resources": {"limits": {"ephemeral-storage": "1"}, "requests": {}}},
        "resources.limits[ephemeral-storage]",
    ),
    ({"resources": {"claims": [{"name": "c"}]}}, "resources.claims"),
    ({"securityContext": {"seccompProfile": {}}}, "securityContext.seccompProfile"),
    (
        {"env": [{"name": "A"}, {"name": "B", "valueFrom": {"fileKeyRef": {}}}]},
        "env[1].valueFrom.fileKeyRef",
    ),
]

SERVICE_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"type": "LoadBalancer"}, "spec.type"),
    ({"externalIPs": ["1.2.3.4"]}, "spec.externalIPs"),
    ({"type": "NodePort", "externalTrafficPolicy": "Local"}, "spec.externalTrafficPolicy"),
    ({"internalTrafficPolicy": "Local"}, "spec.internalTrafficPolicy"),
    ({"ipFamilies": ["IPv4", "IPv6"]}, "spec.ipFamilies[1]"),
    ({"ports": [{"port": 1, "protocol": "SCTP"}]}, "spec.ports[0].protocol"),
    ({"loadBalancerIP": "1.2.3.4"}, "spec.loadBalancerIP"),
    ({"trafficDistribution": "PreferClose"}, "spec.trafficDistribution"),
]


def _paths(found: list[str]) -> list[str]:
    return [cause.split(": ")[0] for cause in found]


@pytest.mark.parametrize(("spec", "path"), POD_ROWS)
def test_pods(judge: Any, pod: Callable[..., Any], spec: Any, path: str) -> None:
    assert _paths(judge.unbuilt("pods", pod(**spec))) == [path]


@pytest.mark.parametrize(("fields", "path"), CONTAINER_ROWS)
def test_containers(judge: Any, container: Callable[..., Any], fields: Any, path: str) -> None:
    assert _paths(judge.unbuilt("pods", container(**fields))) == [f"spec.containers[0].{path}"]


@pytest.mark.parametrize(("spec", "path"), SERVICE_ROWS)
def test_services(judge: Any, service: Callable[..., Any], spec: Any, path: str) -> None:
    assert _paths(judge.unbuilt("services", service(**spec))) == [path]


def test_session_affinity_and_its_configuration(judge: Any, service: Callable[..., Any]) -> None:
    found = _paths(judge.unbuilt("services", service(sessionAffinity="ClientIP")))
    assert found == ["spec.sessionAffinity", "spec.sessionAffinityConfig"]


def test_templates_are_looked_into(judge: Any, deployment: Callable[..., Any]) -> None:
    tree = deployment()
    tree["spec"]["template"]["spec"]["runtimeClassName"] = "x"
    assert _paths(judge.unbuilt("deployments.apps", tree)) == [
        "spec.template.spec.runtimeClassName"
    ]


@pytest.mark.parametrize(
    ("resource", "tree", "path"),
    [
        ("serviceaccounts", {"imagePullSecrets": [{"name": "s"}]}, "imagePullSecrets"),
        ("secrets", {"type": "kubernetes.io/service-account-token"}, "type"),
        ("namespaces", {"spec": {"finalizers": ["mine/x"]}}, "spec.finalizers[0]"),
        ("nodes", {"spec": {"configSource": {}}}, "spec.configSource"),
        (
            "endpointslices.discovery.k8s.io",
            {"endpoints": [{"addresses": [], "hints": {}}], "ports": [], "addressType": "IPv4"},
            "endpoints[0].hints",
        ),
        ("leases.coordination.k8s.io", {"spec": {"strategy": "x"}}, "spec.strategy"),
    ],
)
def test_other_kinds(judge: Any, resource: str, tree: Any, path: str) -> None:
    assert _paths(judge.unbuilt(resource, tree)) == [path]


def test_zero_values_and_status_are_not_refused(judge: Any, pod: Callable[..., Any]) -> None:
    tree = pod(hostPID=False, priority=0, shareProcessNamespace=False, hostUsers=True)
    tree["status"] = {"resourceClaimStatuses": [{"name": "x"}], "resize": "Proposed"}
    assert judge.unbuilt("pods", tree) == []


def test_a_kind_that_is_not_built_is_refused_by_name() -> None:
    kind = kinds.by_resource("statefulsets.apps")
    with pytest.raises(ApiError) as caught:
        objects.default(kind, apps_pb2.StatefulSet())
    assert caught.value.message == "StatefulSet (apps/v1) is not built yet"
    assert caught.value.reason is Reason.NOT_BUILT


def test_the_cause_says_what_works(judge: Any, service: Callable[..., Any]) -> None:
    kind, message = judge.read("services", service(type="LoadBalancer"))
    (cause,) = objects.unbuilt(kind, message)
    assert cause.reason is CauseReason.NOT_BUILT
    assert cause.message == (
        '"LoadBalancer" is not built yet (built: ClusterIP, NodePort, ExternalName)'
    )


def test_the_table_names_fields_that_exist() -> None:
    pools = {
        "core.v1": core_pb2.DESCRIPTOR,
        "meta.v1": meta_pb2.DESCRIPTOR,
        "discovery.v1": kinds.by_word("endpointslices").message.DESCRIPTOR.file,
        "coordination.v1": kinds.by_word("leases").message.DESCRIPTOR.file,
    }

    def fields(name: str) -> set[str]:
        package, _, message = name.rpartition(".")
        return set(pools[package].message_types_by_name[message].fields_by_name)

    for name, listed in built.BUILT.items():
        assert set(listed.split()) <= fields(name), name
    for key in (*built.VALUES, *built.REFUSED_VALUES):
        name, _, field = key.rpartition(".")
        assert field in fields(name), key
        assert field not in built.BUILT.get(name, "").split(), f"{key} is listed twice"
