"""`decide`: the table of a node's rights, Kubernetes' wording, and promise I9 as a property."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.coordination.v1 import coordination_pb2 as coordination
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.identity import Identity, of_controller, of_node
from holdfast.control.access import decide
from holdfast.control.access.nodes import LEASES_NAMESPACE

VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
READS = {"get", "list", "watch"}


@dataclass(frozen=True)
class Held:
    message: Any


@dataclass
class World:
    """A view over plain dictionaries."""

    objects: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def add(self, resource: str, message: Any) -> None:
        key = (resource, message.metadata.namespace, message.metadata.name)
        self.objects[key] = message

    def get(self, resource: str, namespace: str, name: str) -> Held | None:
        message = self.objects.get((resource, namespace, name))
        return None if message is None else Held(message)

    def by_index(self, resource: str, index: str, value: str) -> Sequence[Held]:
        assert (resource, index) == ("pods", "spec.nodeName")
        return [
            Held(message)
            for (kind, _, _), message in self.objects.items()
            if kind == resource and message.spec.nodeName == value
        ]


def _pod(name: str, node: str, namespace: str = "default") -> core.Pod:
    pod = core.Pod()
    pod.metadata.name, pod.metadata.namespace = name, namespace
    pod.spec.nodeName = node
    pod.spec.serviceAccountName = f"account-of-{name}"
    container = pod.spec.containers.add(name="main")
    variable = container.env.add(name="A")
    variable.valueFrom.secretKeyRef.localObjectReference.name = f"key-of-{name}"
    container.envFrom.add().configMapRef.localObjectReference.name = f"env-of-{name}"
    pod.spec.volumes.add(name="v").volumeSource.secret.secretName = f"volume-of-{name}"
    sources = pod.spec.volumes.add(name="p").volumeSource.projected.sources
    sources.add().configMap.localObjectReference.name = f"projected-of-{name}"
    first = pod.spec.initContainers.add(name="first")
    first.envFrom.add().secretRef.localObjectReference.name = f"init-of-{name}"
    return pod


def _node(name: str) -> core.Node:
    node = core.Node()
    node.metadata.name = name
    return node


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    for node in ("n1", "n2"):
        world.add("nodes", _node(node))
        world.add("pods", _pod(f"pod-{node}", node))
    world.add("pods", _pod("pending", ""))
    return world


ADMIN = Identity("jane", ("system:masters",))
N1 = of_node("n1")


def _may(identity: Identity, verb: str, resource: str, **details: Any) -> bool:
    return decide(identity, verb, resource, **details).allowed


@pytest.mark.parametrize("verb", VERBS)
def test_administrators_and_controllers_may_all(verb: str) -> None:
    assert _may(ADMIN, verb, "secrets", namespace="kube-system")
    assert _may(of_controller("replicaset"), verb, "pods")


@pytest.mark.parametrize(
    "identity",
    [Identity("joe"), Identity("system:node:n1"), Identity("n1", ("system:nodes",))],
)
def test_others_may_nothing(identity: Identity, world: World) -> None:
    for verb in VERBS:
        for resource in ("pods", "nodes", "namespaces"):
            assert not _may(identity, verb, resource, name="n1", view=world)


@pytest.mark.parametrize(
    ("verb", "resource", "details"),
    [
        ("get", "nodes", {"name": "n2"}),
        ("watch", "nodes", {}),
        ("watch", "services", {}),
        ("list", "endpointslices.discovery.k8s.io", {}),
        ("list", "namespaces", {}),
        ("create", "nodes", {"new": _node("n1")}),
        ("patch", "nodes", {"name": "n1", "subresource": "status"}),
        ("watch", "pods", {"fields_required": {"spec.nodeName": "n1"}}),
        ("get", "pods", {"namespace": "default", "name": "pod-n1"}),
        ("update", "pods", {"namespace": "default", "name": "pod-n1", "subresource": "status"}),
        ("delete", "pods", {"namespace": "default", "name": "pod-n1"}),
        ("delete", "pods", {"namespace": "default", "name": "gone"}),
        ("get", "secrets", {"namespace": "default", "name": "key-of-pod-n1"}),
        ("get", "secrets", {"namespace": "default", "name": "volume-of-pod-n1"}),
        ("get", "secrets", {"namespace": "default", "name": "init-of-pod-n1"}),
        ("get", "configmaps", {"namespace": "default", "name": "env-of-pod-n1"}),
        ("get", "configmaps", {"namespace": "default", "name": "projected-of-pod-n1"}),
        ("get", "serviceaccounts", {"namespace": "default", "name": "account-of-pod-n1"}),
        (
            "watch",
            "secrets",
            {"namespace": "default", "fields_required": {"metadata.name": "key-of-pod-n1"}},
        ),
        ("update", "leases.coordination.k8s.io", {"namespace": LEASES_NAMESPACE, "name": "n1"}),
        ("create", "events", {"new": core.Event(source=core.EventSource(host="n1"))}),
    ],
)
def test_a_node_may(world: World, verb: str, resource: str, details: dict[str, Any]) -> None:
    decision = decide(N1, verb, resource, view=world, **details)
    assert decision.allowed, decision.reason


def _labelled(**labels: str) -> core.Node:
    node = _node("n1")
    node.metadata.labels.update({key.replace("__", "/"): value for key, value in labels.items()})
    return node


def _owned() -> core.Node:
    node = _node("n1")
    node.metadata.ownerReferences.add(kind="ConfigMap", name="mine")
    return node


def _ranged() -> core.Node:
    node = _node("n1")
    node.spec.podCIDR = "10.244.7.0/24"
    return node


@pytest.mark.parametrize(
    ("verb", "resource", "details", "why"),
    [
        ("create", "nodes", {"new": _node("n2")}, "only its own Node"),
        ("create", "nodes", {"new": None}, "only its own Node"),
        ("create", "nodes", {"new": _node("n1"), "name": "n2"}, "only its own Node"),
        ("create", "nodes", {"new": _owned()}, "owners or finalizers"),
        ("create", "nodes", {"new": _ranged()}, "spec.podCIDR"),
        (
            "create",
            "nodes",
            {"new": _labelled(**{"node-role.kubernetes.io__control-plane": ""})},
            'the label "node-role.kubernetes.io/control-plane"',
        ),
        (
            "create",
            "nodes",
            {"new": _labelled(**{"pci.node-restriction.kubernetes.io__x": ""})},
            "the label",
        ),
        ("update", "nodes", {"name": "n1"}, "no such right"),
        ("delete", "nodes", {"name": "n1"}, "no such right"),
        ("update", "nodes", {"name": "n2", "subresource": "status"}, "only its own Node"),
        ("list", "pods", {}, "select spec.nodeName=n1"),
        ("watch", "pods", {"fields_required": {"spec.nodeName": "n2"}}, "select spec.nodeName=n1"),
        ("get", "pods", {"namespace": "default", "name": "pod-n2"}, 'bound to node "n1"'),
        ("get", "pods", {"namespace": "default", "name": "pending"}, 'bound to node "n1"'),
        ("delete", "pods", {"namespace": "default", "name": "pod-n2"}, 'bound to node "n1"'),
        ("update", "pods", {"namespace": "default", "name": "pod-n1"}, "no such right"),
        (
            "create",
            "pods",
            {"namespace": "default", "name": "pod-n1", "subresource": "exec"},
            "no such right",
        ),
        ("get", "secrets", {"namespace": "default", "name": "key-of-pod-n2"}, "refers to it"),
        ("get", "secrets", {"namespace": "other", "name": "key-of-pod-n1"}, "refers to it"),
        ("get", "configmaps", {"namespace": "default", "name": "key-of-pod-n1"}, "refers to it"),
        ("list", "secrets", {"namespace": "default"}, "refers to it"),
        ("get", "leases.coordination.k8s.io", {"namespace": "default", "name": "n1"}, "lease"),
        (
            "create",
            "events",
            {"new": core.Event(source=core.EventSource(host="n2"))},
            "itself as source.host",
        ),
        ("create", "events", {}, "not given"),
        ("create", "deployments.apps", {"namespace": "default"}, "no such right"),
        ("create", "~tokens", {}, "no such right"),
    ],
)
def test_a_node_may_not(
    world: World, verb: str, resource: str, details: dict[str, Any], why: str
) -> None:
    decision = decide(N1, verb, resource, view=world, **details)
    assert not decision.allowed
    assert why in decision.reason


def test_a_node_may_register_with_free_labels_and_taints(world: World) -> None:
    node = _labelled(**{"kubernetes.io__hostname": "n1", "disk": "ssd", "example.com__x": "1"})
    node.spec.taints.add(key="dedicated", effect="NoSchedule")
    decision = decide(N1, "create", "nodes", new=node, view=world)
    assert decision.allowed, decision.reason


def test_the_sentence_is_kubernetes_and_says_why(world: World) -> None:
    decision = decide(N1, "list", "pods", view=world)
    assert decision.reason == (
        'pods is forbidden: User "system:node:n1" cannot list resource "pods" in API group "" '
        'at the cluster scope: node "n1" may follow only its own pods: select spec.nodeName=n1'
    )
    decision = decide(Identity("joe"), "get", "deployments.apps", namespace="d", name="web")
    assert decision.reason == (
        'deployments.apps "web" is forbidden: User "joe" cannot get resource "deployments" in '
        'API group "apps" in the namespace "d": it has no rights'
    )


NODES = st.sampled_from(["n1", "n2"])
NAMES = st.sampled_from(["n1", "n2", "pod-n1", "pod-n2", "pending", "gone", ""])
RESOURCES = st.sampled_from(
    [
        "pods",
        "nodes",
        "events",
        "secrets",
        "configmaps",
        "services",
        "namespaces",
        "leases.coordination.k8s.io",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
    ]
)


def _new(resource: str, name: str, host: str) -> Any:
    """What a node might send: its name, and a node it claims to be, are drawn apart."""
    if resource == "events":
        return core.Event(source=core.EventSource(host=host))
    kind = {"pods": core.Pod, "nodes": core.Node}.get(resource, coordination.Lease)
    message = kind()
    message.metadata.name = name
    if resource == "pods":
        message.spec.nodeName = host
    return message


@given(
    verb=st.sampled_from(VERBS),
    resource=RESOURCES,
    subresource=st.sampled_from(["", "status", "binding", "scale", "exec", "log", "finalize"]),
    namespace=st.sampled_from(["", "default", LEASES_NAMESPACE]),
    name=NAMES,
    sent=st.none() | st.tuples(NAMES, NODES),
)
def test_i9_a_node_changes_only_its_own(
    world: World,
    verb: str,
    resource: str,
    subresource: str,
    namespace: str,
    name: str,
    sent: tuple[str, str] | None,
) -> None:
    inside = sent[0] if sent else ""
    new = _new(resource, *sent) if sent else None
    details: dict[str, Any] = {"namespace": namespace, "name": name, "subresource": subresource}
    if verb in READS or not _may(N1, verb, resource, new=new, view=world, **details):
        return
    if resource == "nodes":
        assert (verb, subresource) in {("create", ""), ("update", "status"), ("patch", "status")}
        assert name == "n1" or (verb == "create" and {name, inside} - {""} == {"n1"})
    elif resource == "pods":
        held = world.get("pods", namespace, name)
        assert held is None or held.message.spec.nodeName == "n1"
        assert subresource == "status" or (verb == "delete" and subresource == "")
    elif resource == "events":
        assert new is not None
        assert new.source.host == "n1"
    else:
        assert resource == "leases.coordination.k8s.io"
        assert namespace == LEASES_NAMESPACE
        assert {name, inside} - {""} == {"n1"}
