"""What of a pod may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

TOLERATION = {"key": "a", "operator": "Exists"}


def _containers(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", **fields}]}


ROWS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (_containers(), _containers(image="j"), ""),
    ({}, {"tolerations": [TOLERATION]}, ""),
    ({"tolerations": [TOLERATION]}, {}, "spec.tolerations"),
    (_containers(), _containers(command=["sh"]), "spec.containers[0].command"),
    (_containers(), _containers(env=[{"name": "A"}]), "spec.containers[0].env"),
    (
        _containers(resources={"limits": {"cpu": "1"}}),
        _containers(resources={"limits": {"cpu": "2"}}),
        "spec.containers[0].resources.limits[cpu]",
    ),
    (_containers(), {"containers": []}, "spec.containers"),
    ({}, {"nodeName": "n1"}, "spec.nodeName"),
    ({}, {"nodeSelector": {"a": "b"}}, "spec.nodeSelector[a]"),
    (
        {"volumes": [{"name": "v", "configMap": {"name": "a"}}]},
        {"volumes": [{"name": "v", "configMap": {"name": "b"}}]},
        "spec.volumes[0].configMap.name",
    ),
    ({}, {"terminationGracePeriodSeconds": 5}, "spec.terminationGracePeriodSeconds"),
]


@pytest.mark.parametrize(("old", "new", "path"), ROWS)
def test_rows(judge: Any, pod: Callable[..., Any], old: Any, new: Any, path: str) -> None:
    found = judge.update("pods", pod(**old), pod(**new))
    assert [cause.split(": ")[0] for cause in found] == ([path] if path else [])


def test_labels_may_change(judge: Any, pod: Callable[..., Any]) -> None:
    new = pod()
    new["metadata"]["labels"] = {"a": "b"}
    assert judge.update("pods", pod(), new) == []
