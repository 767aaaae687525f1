"""Every rule for pods, as a table: a field of the spec, and the cause it must give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.api import kinds, objects
from holdfast.api.core.v1 import core_pb2

HTTP = {"httpGet": {"port": 80}}

CONTAINER_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: Required value"),
    ({"name": "Web"}, 'name: Invalid value: "Web": a lowercase RFC 1123 label'),
    ({"name": "a" * 64}, "must be no more than 63 bytes"),
    ({"image": ""}, "image: Required value"),
    ({"image": " i"}, 'image: Invalid value: " i": must not have leading or trailing'),
    (
        {"imagePullPolicy": "Sometimes"},
        'imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", '
        '"IfNotPresent", "Never"',
    ),
    ({"ports": [{}]}, "ports[0].containerPort: Required value"),
    (
        {"ports": [{"containerPort": 70000}]},
        "ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    ({"ports": [{"containerPort": 1, "hostPort": -1}]}, "ports[0].hostPort: Invalid value: -1"),
    ({"ports": [{"containerPort": 1, "protocol": "ICMP"}]}, "ports[0].protocol: Unsupported"),
    ({"ports": [{"containerPort": 1, "hostIP": "x"}]}, "ports[0].hostIP: Invalid value"),
    ({"ports": [{"containerPort": 1, "name": "9"}]}, "at least one letter"),
    ({"ports": [{"containerPort": 1, "name": "a--b"}]}, "consecutive hyphens"),
    ({"ports": [{"containerPort": 1, "name": "a" * 16}]}, "no more than 15 characters"),
    (
        {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
        'ports[1].name: Duplicate value: "a"',
    ),
    (
        {"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]},
        "ports[1].hostPort: Duplicate value: 9",
    ),
    ({"env": [{"name": ""}]}, "env[0].name: Required value"),
    ({"env": [{"name": "A=B"}]}, 'env[0].name: Invalid value: "A=B": a valid environment'),
    ({"env": [{"name": "A", "valueFrom": {}}]}, "env[0].valueFrom: Required value: must specify"),
    (
        {
            "env": [
                {
                    "name": "A",
                    "value": "v",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                }
            ]
        },
        "may not be specified when `value` is not empty",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.zzz"}}}]},
        'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.zzz"',
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]},
        "env[0].valueFrom.resourceFieldRef.resource: Unsupported value",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"key": "k"}}}]},
        "env[0].valueFrom.configMapKeyRef.name: Required value",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a b"}}}]},
        'env[0].valueFrom.secretKeyRef.key: Invalid value: "a b"',
    ),
    (
        {
            "env": [
                {
                    "name": "A",
                    "valueFrom": {
                        "fieldRef": {"fieldPath": "metadata.name"},
                        "secretKeyRef": {"name": "s", "key": "k"},
                    },
                }
            ]
        },
        "may not have more than one field specified",
    ),
    ({"envFrom": [{}]}, "envFrom[0]: Required value: must specify one of"),
    ({"envFrom": [{"configMapRef": {}}]}, "envFrom[0].configMapRef.name: Required value"),
    ({"envFrom": [{"prefix": "=", "secretRef": {"name": "s"}}]}, "envFrom[0].prefix: Invalid"),
    (
        {"volumeMounts": [{"name": "nope", "mountPath": "/a"}]},
        'volumeMounts[0].name: Not found: "nope"',
    ),
    ({"volumeMounts": [{"name": "data"}]}, "volumeMounts[0].mountPath: Required value"),
    ({"volumeMounts": [{"name": "data", "mountPath": "a"}]}, "must be an absolute path"),
    (
        {"volumeMounts": [{"name": "data", "mountPath": "/a"}] * 2},
        'volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
    ),
    ({"resources": {"limits": {"cpu": "-1"}}}, "resources.limits[cpu]: Invalid value"),
    (
        {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1500m"}}},
        'resources.requests[cpu]: Invalid value: "1500m": must be less than or equal to cpu '
        "limit of 1",
    ),
    ({"resources": {"requests": {"gpus": "1"}}}, "must be a standard resource type or fully"),
    ({"livenessProbe": {}}, "livenessProbe: Required value: must specify a handler type"),
    (
        {"livenessProbe": {"exec": {"command": ["a"]}, **HTTP}},
        "may not specify more than 1 handler type",
    ),
    ({"livenessProbe": {"exec": {}}}, "livenessProbe.exec.command: Required value"),
    ({"readinessProbe": {"httpGet": {"port": 0}}}, "readinessProbe.httpGet.port: Invalid value"),
    ({"readinessProbe": {"httpGet": {"port": "Bad_"}}}, 'port: Invalid value: "Bad_"'),
    ({"readinessProbe": {"tcpSocket": {"port": 99999}}}, "tcpSocket.port: Invalid value: 99999"),
    (
        {"readinessProbe": {"httpGet": {"port": 1, "scheme": "FTP"}}},
        "readinessProbe.httpGet.scheme: Unsupported value",
    ),
    (
        {"readinessProbe": {**HTTP, "periodSeconds": -1}},
        "readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
    ),
    ({"livenessProbe": {**HTTP, "successThreshold": 2}}, "successThreshold: Invalid value: 2"),
    ({"securityContext": {"runAsUser": -1}}, "securityContext.runAsUser: Invalid value: -1"),
    (
        {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
        "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    ),
]


@pytest.mark.parametrize(("fields", "cause"), CONTAINER_ROWS)
def test_containers(judge: Any, container: Callable[..., Any], fields: Any, cause: str) -> None:
    found = judge.causes("pods", container(**fields))
    assert len(found) == 1, found
    assert found[0].startswith("spec.containers[0].")
    assert cause in found[0]


def _required(*terms: Any) -> dict[str, Any]:
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"nodeAffinity": {key: {"nodeSelectorTerms": list(terms)}}}}


def _expression(**fields: Any) -> dict[str, Any]:
    return _required({"matchExpressions": [{"key": "a", **fields}]})


SPEC_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"containers": []}, "spec.containers: Required value"),
    (
        {"containers": [{"name": "c", "image": "i"}] * 2},
        'spec.containers[1].name: Duplicate value: "c"',
    ),
    (
        {"initContainers": [{"name": "c", "image": "i"}]},
        'spec.containers[0].name: Duplicate value: "c"',
    ),
    (
        {"initContainers": [{"name": "b", "image": "i", "readinessProbe": HTTP}]},
        "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers",
    ),
    ({"restartPolicy": "Maybe"}, 'spec.restartPolicy: Unsupported value: "Maybe"'),
    ({"dnsPolicy": "Maybe"}, 'spec.dnsPolicy: Unsupported value: "Maybe"'),
    ({"dnsPolicy": "None"}, "spec.dnsConfig.nameservers: Required value"),
    ({"dnsConfig": {"nameservers": ["x"]}}, "spec.dnsConfig.nameservers[0]: Invalid value"),
    ({"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}}, "must not have more than 3 nameservers"),
    ({"dnsConfig": {"searches": ["-a"]}}, "spec.dnsConfig.searches[0]: Invalid value"),
    ({"dnsConfig": {"searches": ["a"] * 33}}, "must not have more than 32 search paths"),
    ({"dnsConfig": {"options": [{"value": "1"}]}}, "spec.dnsConfig.options[0].name: Required"),
    ({"terminationGracePeriodSeconds": -1}, "spec.terminationGracePeriodSeconds: Invalid"),
    ({"nodeSelector": {"a b": "c"}}, 'spec.nodeSelector: Invalid value: "a b": name part must'),
    ({"nodeSelector": {"a": "!"}}, 'spec.nodeSelector[a]: Invalid value: "!": a valid label'),
    ({"hostname": "A"}, 'spec.hostname: Invalid value: "A"'),
    ({"subdomain": "a.b"}, 'spec.subdomain: Invalid value: "a.b"'),
    ({"nodeName": "_"}, 'spec.nodeName: Invalid value: "_"'),
    ({"serviceAccountName": "A"}, 'spec.serviceAccountName: Invalid value: "A"'),
    ({"securityContext": {"runAsGroup": -5}}, "spec.securityContext.runAsGroup: Invalid"),
    ({"securityContext": {"supplementalGroups": [1, -1]}}, "supplementalGroups[1]: Invalid"),
    ({"volumes": [{"emptyDir": {}}]}, "spec.volumes[0].name: Required value"),
    ({"volumes": [{"name": "a"}, {"name": "a"}]}, 'spec.volumes[1].name: Duplicate value: "a"'),
    (
        {"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
        "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type",
    ),
    ({"volumes": [{"name": "a", "hostPath": {}}]}, "spec.volumes[0].hostPath.path: Required"),
    ({"volumes": [{"name": "a", "hostPath": {"path": "/a/../b"}}]}, "must not contain '..'"),
    (
        {"volumes": [{"name": "a", "hostPath": {"path": "/a", "type": "Pipe"}}]},
        "spec.volumes[0].hostPath.type: Unsupported value",
    ),
    ({"volumes": [{"name": "a", "configMap": {}}]}, "spec.volumes[0].configMap.name: Required"),
    ({"volumes": [{"name": "a", "secret": {}}]}, "spec.volumes[0].secret.secretName: Required"),
    (
        {"volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": 512}}]},
        "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and",
    ),
    (
        {"volumes": [{"name": "a", "configMap": {"name": "s", "items": [{"key": "k"}]}}]},
        "spec.volumes[0].configMap.items[0].path: Required value",
    ),
    (
        {
            "volumes": [
                {"name": "a", "configMap": {"name": "s", "items": [{"key": "k", "path": "/k"}]}}
            ]
        },
        "must be a relative path",
    ),
    ({"tolerations": [{"operator": "Equal"}]}, "spec.tolerations[0].operator: Invalid value"),
    ({"tolerations": [{"key": "a", "operator": "In"}]}, "supported values"),
    ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "must be empty when"),
    ({"tolerations": [{"key": "a", "effect": "Never"}]}, "spec.tolerations[0].effect: Unsup"),
    (
        {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]},
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
    ),
    (_required(), "nodeSelectorTerms: Required value: must have at least one"),
    (_expression(operator="In"), "values: Required value: must be specified when `operator`"),
    (_expression(operator="Exists", values=["b"]), "values: Forbidden: may not be specified"),
    (_expression(operator="Gt", values=["x"]), 'values[0]: Invalid value: "x": must be an int'),
    (_expression(operator="Gt", values=["1", "2"]), "must be specified single value"),
    (_expression(operator="Has"), 'operator: Unsupported value: "Has"'),
    (
        _required({"matchFields": [{"key": "spec.x", "operator": "In", "values": ["a"]}]}),
        "matchFields[0].key: Invalid value",
    ),
    (
        {
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 101, "preference": {}}
                    ]
                }
            }
        },
        "weight: Invalid value: 101: must be in the range 1-100",
    ),
    (
        {
            "hostNetwork": True,
            "containers": [
                {"name": "c", "image": "i", "ports": [{"containerPort": 1, "hostPort": 2}]}
            ],
        },
        "must match `containerPort` when `hostNetwork` is true",
    ),
]


@pytest.mark.parametrize(("spec", "cause"), SPEC_ROWS)
def test_specs(judge: Any, pod: Callable[..., Any], spec: Any, cause: str) -> None:
    found = judge.causes("pods", pod(**spec))
    assert len(found) == 1, found
    assert cause in found[0]


def test_bad_quantity_names_the_field_and_the_text() -> None:
    message = core_pb2.Pod()
    message.metadata.name, message.metadata.namespace = "web", "default"
    container = message.spec.containers.add(name="c", image="i")
    container.resources.limits.get_or_create("memory").string = "1 Gigabyte"
    kind = kinds.by_resource("pods")
    objects.default(kind, message)
    found = [str(cause) for cause in objects.validate(kind, message)]
    assert len(found) == 1, found  # the request that follows from it is not named again
    assert found[0].startswith('spec.containers[0].resources.limits[memory]: Invalid value: "1 Gi')


def test_all_causes_are_named_at_once(judge: Any, pod: Callable[..., Any]) -> None:
    tree = pod(restartPolicy="x", containers=[{"name": "A"}], volumes=[{}])
    paths = {cause.split(":")[0] for cause in judge.causes("pods", tree)}
    assert paths == {
        "spec.restartPolicy",
        "spec.containers[0].name",
        "spec.containers[0].image",
        "spec.volumes[0].name",
    }


def test_a_full_pod_is_fine(judge: Any) -> None:
    tree = {
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "initContainers": [{"name": "init", "image": "busybox:1", "command": ["true"]}],
            "containers": [
                {
                    "name": "web",
                    "image": "nginx:1.25",
                    "ports": [{"name": "http", "containerPort": 80, "hostPort": 8080}],
                    "env": [
                        {"name": "A", "value": "1"},
                        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                        {
                            "name": "L",
                            "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}},
                        },
                        {
                            "name": "CPU",
                            "valueFrom": {
                                "resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}
                            },
                        },
                    ],
                    "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "X_"}],
                    "resources": {
                        "limits": {"cpu": "1", "memory": "1Gi"},
                        "requests": {"cpu": "100m"},
                    },
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                    "livenessProbe": {"httpGet": {"port": "http", "path": "/"}},
                    "readinessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2},
                    "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False},
                }
            ],
            "volumes": [{"name": "data", "hostPath": {"path": "/srv", "type": "Directory"}}],
            "tolerations": [{"operator": "Exists"}],
            **_expression(operator="Gt", values=["5"]),
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.96.0.10"], "searches": ["a.b."], "options": []},
        },
    }
    assert judge.causes("pods", tree) == []
    assert judge.unbuilt("pods", tree) == []
