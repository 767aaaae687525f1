"""Rules for deployments and replica sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def _rolling(**fields: Any) -> dict[str, Any]:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": fields}}


def _template(labels: Any = None, **spec: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"template": {"metadata": {"labels": labels or {"app": "web"}}, "spec": spec}}


ROWS: list[tuple[dict[str, Any], str]] = [
    ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ({"selector": None}, "spec.selector: Required value"),
    ({"selector": {}}, 'spec.selector: Invalid value: "{}": empty selector is invalid'),
    (
        {"selector": {"matchLabels": {"app": "other"}}},
        'spec.template.metadata.labels: Invalid value: "app=web": `selector` does not match',
    ),
    (
        {"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}},
        "spec.selector.matchExpressions[0].values: Required value",
    ),
    (
        {"selector": {"matchExpressions": [{"key": "app", "operator": "Near"}]}},
        'spec.selector.matchExpressions[0].operator: Unsupported value: "Near"',
    ),
    (
        {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
        "spec.selector.matchExpressions[0].values: Forbidden",
    ),
    ({"selector": {"matchLabels": {"a b": "web"}}}, 'spec.selector.matchLabels: Invalid value: "a'),
    (_template(restartPolicy="Never"), "spec.template.spec.restartPolicy: Unsupported value"),
    (
        _template(containers=[{"name": "c"}]),
        "spec.template.spec.containers[0].image: Required value",
    ),
    ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "must be greater than minReadySeconds"),
    ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: Invalid value: -1"),
    ({"strategy": {"type": "BlueGreen"}}, 'spec.strategy.type: Unsupported value: "BlueGreen"'),
    (
        {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy",
    ),
    (
        _rolling(maxSurge=0, maxUnavailable=0),
        'rollingUpdate.maxUnavailable: Invalid value: "0": may not be 0 when `maxSurge` is 0',
    ),
    (_rolling(maxSurge="0%", maxUnavailable=0), "may not be 0 when `maxSurge` is 0"),
    (_rolling(maxSurge="a lot"), "spec.strategy.rollingUpdate.maxSurge: Invalid value"),
    (_rolling(maxUnavailable="101%"), "must not be greater than 100%"),
    (_rolling(maxSurge=-1), "spec.strategy.rollingUpdate.maxSurge: Invalid value: -1"),
]


@pytest.mark.parametrize(("spec", "cause"), ROWS)
def test_deployments(judge: Any, deployment: Callable[..., Any], spec: Any, cause: str) -> None:
    found = judge.causes("deployments.apps", deployment(**spec))
    assert len(found) == 1, found
    assert cause in found[0]


def test_a_plain_deployment_is_fine(judge: Any, deployment: Callable[..., Any]) -> None:
    assert judge.causes("deployments.apps", deployment()) == []
    assert judge.unbuilt("deployments.apps", deployment()) == []
    spec = judge.defaulted("deployments.apps", deployment())["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert "enableServiceLinks" not in spec["template"]["spec"]


def test_recreate_gets_no_rolling_update(judge: Any, deployment: Callable[..., Any]) -> None:
    tree = deployment(strategy={"type": "Recreate"})
    assert judge.defaulted("deployments.apps", tree)["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("resource", ["deployments.apps", "replicasets.apps"])
def test_the_selector_stays(judge: Any, deployment: Callable[..., Any], resource: str) -> None:
    tree = deployment()
    other = deployment(selector={"matchLabels": {"app": "web", "tier": "x"}})
    assert judge.update(resource, tree, deployment(replicas=7)) == []
    assert judge.update(resource, tree, other) == [
        'spec.selector: Invalid value: "app=web,tier=x": field is immutable'
    ]
