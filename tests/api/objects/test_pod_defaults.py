"""What Kubernetes implies in a pod, and that it is stable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.api import codec, kinds, objects
from holdfast.api.objects.pods.defaults import pull_policy


def test_a_plain_pod(judge: Any, pod: Callable[..., Any]) -> None:
    found = judge.defaulted("pods", pod())
    spec = found["spec"]
    assert spec.pop("containers") == [
        {
            "name": "c",
            "image": "i",
            "imagePullPolicy": "Always",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ]
    assert spec == {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "enableServiceLinks": True,
    }
    assert found["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:2", "IfNotPresent"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
        ("localhost/holdfast-demo:1", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_containers_get_ports_probes_requests(judge: Any, container: Callable[..., Any]) -> None:
    tree = container(
        ports=[{"containerPort": 80}],
        readinessProbe={"httpGet": {"port": 80}},
        resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
        env=[{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    )
    found = judge.defaulted("pods", tree)
    got = found["spec"]["containers"][0]
    assert got["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert got["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert got["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert got["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert found["status"]["qosClass"] == "Burstable"


def test_host_network_gives_the_host_port(judge: Any, pod: Callable[..., Any]) -> None:
    containers = [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]
    found = judge.defaulted("pods", pod(hostNetwork=True, containers=containers))
    assert found["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


def test_volumes(judge: Any, pod: Callable[..., Any]) -> None:
    volumes = [
        {"name": "a"},
        {"name": "b", "configMap": {"name": "c"}},
        {"name": "d", "secret": {"secretName": "s", "defaultMode": 256}},
        {"name": "e", "hostPath": {"path": "/e"}},
    ]
    found = judge.defaulted("pods", pod(volumes=volumes))
    assert found["spec"]["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "c", "defaultMode": 420}},
        {"name": "d", "secret": {"secretName": "s", "defaultMode": 256}},
        {"name": "e", "hostPath": {"path": "/e", "type": ""}},
    ]


def test_what_is_written_stays(judge: Any, pod: Callable[..., Any]) -> None:
    tree = pod(terminationGracePeriodSeconds=0, enableServiceLinks=False, serviceAccount="ci")
    spec = judge.defaulted("pods", tree)["spec"]
    assert spec["terminationGracePeriodSeconds"] == 0
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "ci"


STABLE: dict[str, dict[str, Any]] = {
    "pods": {
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "i",
                    "ports": [{"containerPort": 1}],
                    "livenessProbe": {"httpGet": {"port": "http"}},
                    "resources": {"limits": {"cpu": "1"}},
                }
            ],
            "volumes": [
                {"name": "a"},
                {"name": "e", "hostPath": {"path": "/e"}},
                {"name": "c", "configMap": {"name": "c"}},
            ],
        }
    },
    "deployments.apps": {
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"rollingUpdate": {"maxSurge": 0}},
            "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
        }
    },
    "replicasets.apps": {"spec": {"replicas": 0, "template": {"spec": {"containers": []}}}},
    "services": {
        "spec": {
            "type": "NodePort",
            "ports": [{"port": 80}, {"port": 81, "targetPort": "http"}],
            "clusterIP": "10.96.0.9",
        }
    },
    "endpointslices.discovery.k8s.io": {
        "addressType": "IPv4",
        "ports": [{"port": 80}],
        "endpoints": [],
    },
    "configmaps": {"data": {"a": "b"}},
    "secrets": {"data": {"a": "Yg=="}, "stringData": {"c": "d"}},
    "serviceaccounts": {},
    "nodes": {"spec": {"podCIDR": "10.244.1.0/24"}, "status": {"capacity": {"cpu": "4"}}},
    "namespaces": {},
    "leases.coordination.k8s.io": {"spec": {"leaseDurationSeconds": 10}},
    "events": {"involvedObject": {"namespace": "default"}},
}


def test_every_built_kind_is_covered() -> None:
    assert {kind.resource for kind in kinds.all_kinds() if kind.built} == set(STABLE)


@pytest.mark.parametrize("resource", STABLE)
def test_defaults_are_in_normal_form_and_idempotent(judge: Any, resource: str) -> None:
    kind, message = judge.read(resource, {"metadata": {"name": "a"}, **STABLE[resource]})
    once = message.SerializeToString(deterministic=True)
    codec.normalize(message)
    assert message.SerializeToString(deterministic=True) == once, "defaults are not normalised"
    objects.default(kind, message)
    assert message.SerializeToString(deterministic=True) == once, "defaulting twice changes it"
