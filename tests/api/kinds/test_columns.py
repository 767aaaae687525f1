"""The printed columns, as kubectl prints them."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api import codec, kinds
from holdfast.api.kinds import cells

NOW = 1_000_000.0


def _row(word: str, tree: dict[str, Any], *, wide: bool = False) -> dict[str, str]:
    kind = kinds.by_word(word)
    message, causes = codec.from_json(kind.message, tree)
    assert not causes, causes
    shown = [column for column in kind.columns if wide or column.priority == 0]
    return {column.name: column.getter(message, NOW) for column in shown}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (59.9, "59s"), (119, "119s"), (120, "2m"),
        (125, "2m5s"), (600, "10m"), (3 * 3600 - 1, "179m"), (3 * 3600, "3h"),
        (3 * 3600 + 61, "3h1m"), (8 * 3600 + 61, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"),
        (51 * 3600, "2d3h"), (8 * 86400, "8d"), (400 * 86400, "400d"), (730 * 86400, "2y"),
        (800 * 86400, "2y70d"), (8 * 365 * 86400, "8y"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


def _status(name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


RUNNING = _status(ready=True, state={"running": {}})
WAITING = _status(state={"waiting": {"reason": "CrashLoopBackOff"}})
DONE = _status(state={"terminated": {"exitCode": 0, "reason": "Completed"}})
DELETED = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}

PODS: list[tuple[dict[str, Any], str]] = [
    ({"status": {"phase": "Pending"}}, "Pending"),
    ({"status": {"phase": "Running", "containerStatuses": [RUNNING]}}, "Running"),
    ({"status": {"phase": "Running", "containerStatuses": [WAITING]}}, "CrashLoopBackOff"),
    ({"status": {"phase": "Succeeded", "containerStatuses": [DONE]}}, "Completed"),
    ({"status": {"phase": "Failed", "reason": "Evicted"}}, "Evicted"),
    (
        {"status": {"containerStatuses": [_status(state={"terminated": {"exitCode": 3}})]}},
        "ExitCode:3",
    ),
    (
        {"status": {"containerStatuses": [_status(state={"terminated": {"signal": 9}})]}},
        "Signal:9",
    ),
    ({"status": {"phase": "Running", "containerStatuses": [DONE, RUNNING]}}, "NotReady"),
    (
        {
            "status": {
                "phase": "Running",
                "containerStatuses": [DONE, RUNNING],
                "conditions": [{"type": "Ready", "status": "True"}],
            }
        },
        "Running",
    ),
    (
        {
            "spec": {"initContainers": [{"name": "a"}, {"name": "b"}], "containers": []},
            "status": {"initContainerStatuses": [DONE, _status(state={"running": {}})]},
        },
        "Init:1/2",
    ),
    (
        {
            "status": {
                "initContainerStatuses": [_status(state={"waiting": {"reason": "ErrImagePull"}})]
            }
        },
        "Init:ErrImagePull",
    ),
    (
        {"status": {"initContainerStatuses": [_status(state={"terminated": {"exitCode": 1}})]}},
        "Init:ExitCode:1",
    ),
    ({**DELETED, "status": {"phase": "Running"}}, "Terminating"),
    ({**DELETED, "status": {"phase": "Failed"}}, "Failed"),
]


@pytest.mark.parametrize(("tree", "word"), PODS)
def test_the_status_of_a_pod(tree: dict[str, Any], word: str) -> None:
    assert _row("po", tree)["Status"] == word


def test_pods() -> None:
    ended = {"terminated": {"finishedAt": "1970-01-12T13:41:40Z"}}  # 300 s before NOW
    tree = {
        "metadata": {"name": "web-1", "creationTimestamp": "1970-01-12T13:36:40Z"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "nodeName": "n1"},
        "status": {
            "phase": "Running",
            "podIP": "10.244.0.2",
            "containerStatuses": [{**RUNNING, "restartCount": 2, "lastState": ended}],
        },
    }
    assert _row("po", tree, wide=True) == {
        "Name": "web-1",
        "Ready": "1/2",
        "Status": "Running",
        "Restarts": "2 (5m ago)",
        "Age": "10m",
        "IP": "10.244.0.2",
        "Node": "n1",
        "Nominated Node": "<none>",
        "Readiness Gates": "<none>",
    }


def test_deployments_and_replica_sets() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}}
    expressions = [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    status = {"replicas": 2, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    tree = {
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": selector, "template": template},
        "status": status,
    }
    assert _row("deploy", tree, wide=True) == {
        "Name": "web",
        "Ready": "1/3",
        "Up-to-date": "2",
        "Available": "1",
        "Age": "<unknown>",
        "Containers": "a,b",
        "Images": "x,y",
        "Selector": "app=web,tier in (a,b),!old",
    }
    del status["updatedReplicas"]
    row = _row("rs", tree)
    assert (row["Desired"], row["Current"], row["Ready"]) == ("3", "2", "1")


def test_services() -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    spec = {"type": "NodePort", "clusterIP": "10.96.0.9", "ports": ports, "selector": {"a": "b"}}
    assert _row("svc", {"metadata": {"name": "web"}, "spec": spec}, wide=True) == {
        "Name": "web",
        "Type": "NodePort",
        "Cluster-IP": "10.96.0.9",
        "External-IP": "<none>",
        "Port(s)": "80:30080/TCP,53/UDP",
        "Age": "<unknown>",
        "Selector": "a=b",
    }
    external = {"type": "ExternalName", "externalName": "a.b"}
    row = _row("svc", {"spec": external})
    assert (row["Cluster-IP"], row["External-IP"], row["Port(s)"]) == ("<none>", "a.b", "<none>")


def test_endpoint_slices() -> None:
    endpoints = [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]
    tree = {"endpoints": endpoints, "ports": [{"port": 80}], "addressType": "IPv4"}
    row = _row("endpointslices", tree)
    assert row["Endpoints"] == "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."
    assert row["Ports"] == "80"
    assert _row("endpointslices", {"addressType": "IPv4"})["Endpoints"] == "<unset>"


@pytest.mark.parametrize(
    ("ready", "cordoned", "word"),
    [
        ("True", False, "Ready"),
        ("True", True, "Ready,SchedulingDisabled"),
        ("False", False, "NotReady"),
        ("Unknown", False, "NotReady"),
        (None, False, "Unknown"),
    ],
)
def test_nodes(ready: str | None, cordoned: bool, word: str) -> None:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    labels = {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge"}
    tree = {
        "metadata": {"name": "n1", "labels": labels},
        "spec": {"unschedulable": cordoned},
        "status": {
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1"},
        },
    }
    row = _row("no", tree, wide=True)
    assert row["Status"] == word
    assert (row["Roles"], row["Version"]) == ("edge,worker", "v1")
    assert (row["Internal-IP"], row["External-IP"]) == ("10.0.0.1", "<none>")


def test_events() -> None:
    tree = {
        "metadata": {"name": "web-1.a"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "fieldPath": "spec.containers{c}"},
        "type": "Warning",
        "reason": "BackOff",
        "message": "again\n",
        "count": 4,
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "1970-01-12T13:36:40Z",
        "lastTimestamp": "1970-01-12T13:46:30Z",
    }
    assert _row("ev", tree, wide=True) == {
        "Last Seen": "10s",
        "Type": "Warning",
        "Reason": "BackOff",
        "Object": "pod/web-1",
        "Subobject": "spec.containers{c}",
        "Source": "kubelet, n1",
        "Message": "again",
        "First Seen": "10m",
        "Count": "4",
        "Name": "web-1.a",
    }


@pytest.mark.parametrize(
    ("word", "tree", "column", "text"),
    [
        ("cm", {"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}, "Data", "3"),
        ("secrets", {"type": "Opaque", "data": {"a": ""}}, "Data", "1"),
        ("secrets", {"type": "Opaque"}, "Type", "Opaque"),
        ("sa", {"secrets": [{"name": "a"}]}, "Secrets", "1"),
        ("ns", {"status": {"phase": "Active"}}, "Status", "Active"),
        ("leases", {"spec": {"holderIdentity": "n1"}}, "Holder", "n1"),
    ],
)
def test_small_kinds(word: str, tree: dict[str, Any], column: str, text: str) -> None:
    assert _row(word, tree)[column] == text
