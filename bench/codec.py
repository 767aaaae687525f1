"""What turning objects into JSON and back costs: `bin/bench codec`.

Two pods: one as a user writes it, and one as a running cluster reports it (4.4 KB of JSON, made
after a real one). Each figure is the median of three runs of the mean over many calls, in
processor time.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.figures import emit
from holdfast.api import codec, quantity
from holdfast.api.core.v1 import core_pb2 as core

CALLS = 2000
RUNS = 3

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_TOKEN_MOUNT = {
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    "name": "kube-api-access-x2v8k",
    "readOnly": True,
}
SMALL: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "default", "labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "registry.example.com/web:1.2.3",
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            }
        ],
        "nodeName": "node-0001",
    },
}


def _probe(path: str, initial_s: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": initial_s,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _container(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/team/{name}:1.24.7",
        "args": ["--listen=:8080", "--log-level=info"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {
                "name": "POD_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
            },
            {"name": "MODE", "value": "production"},
            {
                "name": "PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "web-secret", "key": "password"}},
            },
        ],
        "resources": {
            "limits": {"cpu": "500m", "memory": "256Mi"},
            "requests": {"cpu": "100m", "memory": "128Mi"},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/web", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},
            _TOKEN_MOUNT,
        ],
        "livenessProbe": _probe("/healthz", 5),
        "readinessProbe": _probe("/readyz", 1),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": _SECURITY,
    }


def _status(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "state": {"running": {"startedAt": "2026-03-01T10:20:34Z"}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": f"registry.example.com/team/{name}:1.24.7",
        "imageID": f"registry.example.com/team/{name}@sha256:{'9f2c1b7a' * 8}",
        "containerID": f"containerd://{'c41d8e07' * 8}",
        "started": True,
    }


def _condition(kind: str, at: str) -> dict[str, Any]:
    return {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": at}


FULL: dict[str, Any] = {
    "metadata": {
        "name": "web-7c5ddbdf54-x2v8k",
        "generateName": "web-7c5ddbdf54-",
        "namespace": "production",
        "uid": "5a1c7c0e-6d0c-4b7e-9a55-0d8a2f1c3b77",
        "resourceVersion": "184467",
        "creationTimestamp": "2026-03-01T10:20:30Z",
        "labels": {"app": "web", "pod-template-hash": "7c5ddbdf54", "tier": "front"},
        "annotations": {"checksum/config": "b1946ac92492d2347c6235b4d2611184"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-7c5ddbdf54",
                "uid": "0b8e8f39-6f1e-4b67-8f4e-2f1f2b9f8d11",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    },
    "spec": {
        "volumes": [
            {"name": "config", "configMap": {"name": "web-config", "defaultMode": 420}},
            {"name": "scratch", "emptyDir": {}},
            {
                "name": "kube-api-access-x2v8k",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {
                            "configMap": {
                                "name": "kube-root-ca.crt",
                                "items": [{"key": "ca.crt", "path": "ca.crt"}],
                            }
                        },
                    ],
                    "defaultMode": 420,
                },
            },
        ],
        "containers": [_container("web"), _container("proxy")],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "web",
        "serviceAccount": "web",
        "nodeName": "node-0001",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    },
    "status": {
        "phase": "Running",
        "conditions": [
            _condition("Initialized", "2026-03-01T10:20:31Z"),
            _condition("Ready", "2026-03-01T10:20:36Z"),
            _condition("ContainersReady", "2026-03-01T10:20:36Z"),
            _condition("PodScheduled", "2026-03-01T10:20:30Z"),
        ],
        "hostIP": "192.168.1.17",
        "hostIPs": [{"ip": "192.168.1.17"}],
        "podIP": "10.244.3.19",
        "podIPs": [{"ip": "10.244.3.19"}],
        "startTime": "2026-03-01T10:20:30Z",
        "containerStatuses": [_status("web"), _status("proxy")],
        "qosClass": "Burstable",
    },
}


def _microseconds(call: Callable[[], object]) -> list[float]:
    call()
    runs = timeit.repeat(call, timer=time.process_time, number=CALLS, repeat=RUNS)
    return [run / CALLS * 1e6 for run in runs]


def main() -> None:
    """Print the figures."""
    for size, tree in (("pod", FULL), ("small_pod", SMALL)):
        pod, causes = codec.from_json(core.Pod, tree)
        assert not causes, causes
        copy = core.Pod.FromString(pod.SerializeToString())
        cases: dict[str, Callable[[], object]] = {
            "to_json": partial(codec.to_json, copy),
            "to_json_bytes": partial(codec.to_json_bytes, copy),
            "from_json": partial(codec.from_json, core.Pod, tree),
            "normalize": partial(codec.normalize, copy),
        }
        for name, call in cases.items():
            emit(f"codec.{size}_{name}_us", _microseconds(call), "us")
    text = codec.dump_yaml({"apiVersion": "v1", "kind": "Pod", **SMALL})
    emit("codec.small_pod_load_yaml_us", _microseconds(lambda: codec.load_yaml(text)), "us")
    emit("codec.quantity_to_milli_us", _microseconds(lambda: quantity.to_milli("250m")), "us")


if __name__ == "__main__":
    main()
