"""Objects that benches write, and percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.api import codec

UNSCHEDULABLE = {"holdfast.dev/bench": "nowhere"}


def full_pod(name: str) -> Any:
    """A pod with everything that users write into one (about 2.5 kB of JSON), which fits on no
    node, so that only its write is measured."""
    message = type(_TEMPLATE)()
    message.CopyFrom(_TEMPLATE)
    message.metadata.name = name
    return message


def varied_pod(name: str) -> Any:
    """As `full_pod`, with an argument and a variable of its own: no two specs are equal."""
    message = full_pod(name)
    first, second = message.spec.containers
    first.env[1].value = f"value of {name}"
    second.args.append(f"--name={name}")
    return message


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share (0–1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _container(name: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5}
    field = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    return {
        "name": name,
        "image": "registry.example.com/team/application:v1.24.3",
        "command": ["/bin/application", "--listen=:8080", "--log-format=json"],
        "ports": [{"name": "http" if name == "main" else "metrics", "containerPort": 8080}],
        "env": [
            {"name": "POD_IP", **field},
            *({"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(6)),
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        **({"readinessProbe": probe, "livenessProbe": probe} if name == "main" else {}),
    }


_TEMPLATE = codec.decode_object(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "template",
            "namespace": "default",
            "labels": {"app": "bench", "tier": "backend", "release": "stable"},
            "annotations": {"example.com/owner": "team", "example.com/commit": "0123456789abcdef"},
        },
        "spec": {
            "containers": [_container("main"), _container("side")],
            "nodeSelector": UNSCHEDULABLE,
            "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
            "volumes": [{"name": "work", "emptyDir": {}}],
            "terminationGracePeriodSeconds": 10,
        },
    }
)[1]
