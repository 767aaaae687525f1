"""Nodes, namespaces, leases and events: defaults and rules. Pure module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects import taints
from holdfast.api.objects.findings import IMMUTABLE
from holdfast.api.objects.pods.containers import amount

if TYPE_CHECKING:
    from holdfast.api.coordination.v1 import coordination_pb2 as coordination
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.api.objects.findings import Findings

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER = "kubernetes"


def default_node(node: core.Node) -> None:
    """Allocatable is the whole capacity unless the node says less; one pod range is a list too."""
    status = node.status
    for name, capacity in status.capacity.items():
        if name not in status.allocatable:
            status.allocatable.get_or_create(name).CopyFrom(capacity)
    if node.spec.podCIDR and not node.spec.podCIDRs:
        node.spec.podCIDRs.append(node.spec.podCIDR)


def validate_node(node: core.Node, found: Findings) -> None:
    """Taints, pod ranges and quantities."""
    _taints(node.spec.taints, found)
    for index, network in enumerate(node.spec.podCIDRs):
        found.rule(f"spec.podCIDRs[{index}]", network, names.cidr(network))
    if node.spec.podCIDRs and node.spec.podCIDRs[0] != node.spec.podCIDR:
        detail = "first value must match `podCIDR`"
        found.invalid("spec.podCIDRs[0]", node.spec.podCIDRs[0], detail)
    _quantities(node.status.capacity, "status.capacity", found)
    _quantities(node.status.allocatable, "status.allocatable", found)


def validate_node_update(old: core.Node, new: core.Node, found: Findings) -> None:
    """The pod range and the provider's id stay once they are set."""
    for field in ("podCIDR", "providerID"):
        before, after = getattr(old.spec, field), getattr(new.spec, field)
        if before and before != after:
            found.invalid(f"spec.{field}", after, "may not change once set")


def _taints(items: Iterable[core.Taint], found: Findings) -> None:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(items):
        path = f"spec.taints[{index}]"
        found.name(f"{path}.key", taint.key, names.qualified(taint.key))
        found.rule(f"{path}.value", taint.value, names.label_value(taint.value))
        found.one_of(f"{path}.effect", taint.effect, taints.EFFECTS)
        if (taint.key, taint.effect) in seen:
            found.duplicate(path, taints.text(taint))
        seen.add((taint.key, taint.effect))


def _quantities(values: Mapping[str, meta.Quantity], path: str, found: Findings) -> None:
    for name, value in values.items():
        amount(value.string, f"{path}[{name}]", found)


def default_namespace(namespace: core.Namespace) -> None:
    """Active, labelled with its name, and held by the finalizer that empties it first."""
    meta_ = namespace.metadata
    if meta_.name and meta_.labels.get(NAMESPACE_LABEL) != meta_.name:
        meta_.labels[NAMESPACE_LABEL] = meta_.name
    if not namespace.status.phase:
        namespace.status.phase = "Active"
    active = namespace.status.phase == "Active" and not meta_.HasField("deletionTimestamp")
    if active and NAMESPACE_FINALIZER not in namespace.spec.finalizers:
        namespace.spec.finalizers.append(NAMESPACE_FINALIZER)


def validate_lease(lease: coordination.Lease, found: Findings) -> None:
    """Positive duration, transitions that only count up."""
    spec = lease.spec
    if spec.HasField("leaseDurationSeconds") and spec.leaseDurationSeconds <= 0:
        detail = "must be greater than 0"
        found.invalid("spec.leaseDurationSeconds", spec.leaseDurationSeconds, detail)
    found.not_negative("spec.leaseTransitions", spec.leaseTransitions)


def validate_event(event: core.Event, found: Findings) -> None:
    """An event lives in the namespace of what it is about, "default" for cluster-wide things."""
    about, own = event.involvedObject.namespace, event.metadata.namespace
    if about != own and not (not about and own in ("default", "kube-system")):
        found.invalid("involvedObject.namespace", about, "does not match event.namespace")


def validate_event_update(old: core.Event, new: core.Event, found: Findings) -> None:
    """A repeat counts up; what it is about stays."""
    if old.involvedObject.uid != new.involvedObject.uid:
        found.invalid("involvedObject.uid", new.involvedObject.uid, IMMUTABLE)
