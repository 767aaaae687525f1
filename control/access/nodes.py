"""What a node's agents may do (promise I9): the table of their rights, and each right's condition.

They read what they need to run the node: all Nodes, Services and EndpointSlices (for the proxy),
the pods bound to it, and what those refer to. They change only what is the node's own: its Node's
status, its pods' status and final delete, its lease, the events it reports. A node can neither
change its own taints and labels nor delete its Node: it could shed what keeps pods off it that way
(CVE-2025-5187). Pure module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.control.access.references import needs
from holdfast.control.access.request import Request

LEASES_NAMESPACE = "kube-node-lease"

# Labels of Kubernetes' domains that a node may give itself when it registers; every label outside
# those domains is free (the NodeRestriction admission plugin has the same rule).
OWN_LABELS = frozenset(
    {
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
OWN_LABEL_DOMAINS = ("node.kubernetes.io", "kubelet.kubernetes.io")
GUARDED_LABEL_DOMAINS = ("kubernetes.io", "k8s.io", "holdfast.dev")
OWN_SPEC = frozenset({"taints", "unschedulable", "providerID"})

Condition = Callable[[str, Request], str | None]
"""(node, request) → why not, None = nothing speaks against it."""


def objection(node: str, request: Request) -> str | None:
    """Why this node may not do that; None = it may."""
    rights = _RIGHTS.get((request.resource, request.subresource), {})
    condition = rights.get(request.verb)
    if condition is None:
        return "a node needs no such right"
    return condition(node, request)


def _free(_node: str, _request: Request) -> str | None:
    return None


def _own_node(node: str, request: Request) -> str | None:
    return None if request.name == node else f'node "{node}" may change only its own Node'


def _own_new_node(node: str, request: Request) -> str | None:
    new = request.new
    if new is None or (new.metadata.name or request.name) != node or request.name not in ("", node):
        return f'node "{node}" may register only its own Node'
    if new.metadata.ownerReferences or new.metadata.finalizers:
        return "a node may not give its Node owners or finalizers"
    guarded = next((key for key in sorted(new.metadata.labels) if not _own_label(key)), None)
    if guarded is not None:
        return f'a node may not give itself the label "{guarded}"'
    extra = next((f.name for f, _ in new.spec.ListFields() if f.name not in OWN_SPEC), None)
    return None if extra is None else f"a node may not set spec.{extra} of its Node"


def _own_label(key: str) -> bool:
    domain = key.rpartition("/")[0]
    if key in OWN_LABELS or _within(domain, OWN_LABEL_DOMAINS):
        return True
    return not _within(domain, GUARDED_LABEL_DOMAINS)


def _within(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == whole or domain.endswith("." + whole) for whole in domains)


def _own_pods(node: str, request: Request) -> str | None:
    if request.fields_required.get("spec.nodeName") == node:
        return None
    return f'node "{node}" may follow only its own pods: select spec.nodeName={node}'


def _bound_pod(node: str, request: Request) -> str | None:
    """The pod is there and bound to the node."""
    pod = _stored(request)
    if pod is not None and pod.spec.nodeName == node:
        return None
    return f'no pod of that name is bound to node "{node}"'


def _bound_or_gone_pod(node: str, request: Request) -> str | None:
    """As `_bound_pod`; a write to a pod that is gone may go on to be told NotFound."""
    return None if _stored(request) is None else _bound_pod(node, request)


def _stored(request: Request) -> Any:
    if request.old is not None:
        return request.old
    assert request.view is not None, "pods are judged by the cache"
    entry = request.view.get(request.resource, request.namespace, request.name)
    return None if entry is None else entry.message


def _referred(node: str, request: Request) -> str | None:
    """A pod bound to the node refers to the object; lists and watches are of that one object."""
    assert request.view is not None, "references are judged by the cache"
    name = request.name or request.fields_required.get("metadata.name", "")
    if name and request.namespace:
        for entry in request.view.by_index("pods", "spec.nodeName", node):
            pod = entry.message
            if pod.metadata.namespace == request.namespace and needs(pod, request.resource, name):
                return None
    return f'no pod bound to node "{node}" refers to it'


def _own_event(node: str, request: Request) -> str | None:
    for event in (request.old, request.new):
        if event is not None and event.source.host != node:
            return f'node "{node}" may report events only with itself as source.host'
    return None if request.new is not None else "the event reported is not given"


def _own_lease(node: str, request: Request) -> str | None:
    names, namespaces = {request.name}, {request.namespace}
    if request.new is not None:
        names.add(request.new.metadata.name)
        namespaces.add(request.new.metadata.namespace)
    if names - {""} == {node} and namespaces - {""} == {LEASES_NAMESPACE}:
        return None
    return f'node "{node}" may hold only the lease "{node}" in {LEASES_NAMESPACE}'


_READ: dict[str, Condition] = {"get": _free, "list": _free, "watch": _free}
_REFERRED: dict[str, Condition] = {"get": _referred, "list": _referred, "watch": _referred}

_RIGHTS: dict[tuple[str, str], dict[str, Condition]] = {
    ("nodes", ""): {**_READ, "create": _own_new_node},
    ("nodes", "status"): {"get": _free, "update": _own_node, "patch": _own_node},
    ("pods", ""): {
        "get": _bound_pod,
        "list": _own_pods,
        "watch": _own_pods,
        "delete": _bound_or_gone_pod,
    },
    ("pods", "status"): {
        "get": _bound_pod,
        "update": _bound_or_gone_pod,
        "patch": _bound_or_gone_pod,
    },
    ("configmaps", ""): _REFERRED,
    ("secrets", ""): _REFERRED,
    ("serviceaccounts", ""): _REFERRED,
    ("services", ""): _READ,
    ("endpointslices.discovery.k8s.io", ""): _READ,
    ("namespaces", ""): _READ,
    ("events", ""): {"create": _own_event, "update": _own_event, "patch": _own_event},
    ("leases.coordination.k8s.io", ""): {
        "get": _own_lease,
        "create": _own_lease,
        "update": _own_lease,
        "patch": _own_lease,
    },
}
