"""The columns of nodes, namespaces, events, leases and of what configures pods. Pure module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.kinds import cells
from holdfast.api.kinds.kind import AGE, NAME, Column

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

ROLE_PREFIX = "node-role.kubernetes.io/"


def node_status(node: core.Node, _now: float = 0.0) -> str:
    """Ready, NotReady or Unknown, and whether it is cordoned."""
    ready = [c.status for c in node.status.conditions if c.type == "Ready"]
    word = ("Ready" if ready[0] == "True" else "NotReady") if ready else "Unknown"
    return word + (",SchedulingDisabled" if node.spec.unschedulable else "")


def _roles(node: core.Node, _now: float) -> str:
    labels = node.metadata.labels
    roles = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    return cells.joined(sorted(filter(None, roles | {labels.get("kubernetes.io/role", "")})))


def _address(node: core.Node, kind: str) -> str:
    return next((a.address for a in node.status.addresses if a.type == kind), cells.NONE)


NODES = (
    NAME,
    Column("Status", "string", 0, node_status),
    Column("Roles", "string", 0, _roles),
    AGE,
    Column("Version", "string", 0, lambda n, _now: n.status.nodeInfo.kubeletVersion),
    Column("Internal-IP", "string", 1, lambda n, _now: _address(n, "InternalIP")),
    Column("External-IP", "string", 1, lambda n, _now: _address(n, "ExternalIP")),
    Column("OS-Image", "string", 1, lambda n, _now: n.status.nodeInfo.osImage or cells.UNKNOWN),
    Column(
        "Kernel-Version",
        "string",
        1,
        lambda n, _now: n.status.nodeInfo.kernelVersion or cells.UNKNOWN,
    ),
    Column(
        "Container-Runtime",
        "string",
        1,
        lambda n, _now: n.status.nodeInfo.containerRuntimeVersion or cells.UNKNOWN,
    ),
)

NAMESPACES = (NAME, Column("Status", "string", 0, lambda n, _now: n.status.phase), AGE)

CONFIG_MAPS = (
    NAME,
    Column("Data", "integer", 0, lambda c, _now: str(len(c.data) + len(c.binaryData))),
    AGE,
)

SECRETS = (
    NAME,
    Column("Type", "string", 0, lambda secret, _now: secret.type),
    Column("Data", "integer", 0, lambda secret, _now: str(len(secret.data))),
    AGE,
)

SERVICE_ACCOUNTS = (NAME, Column("Secrets", "integer", 0, lambda s, _now: str(len(s.secrets))), AGE)

LEASES = (
    NAME,
    Column("Holder", "string", 0, lambda lease, _now: lease.spec.holderIdentity),
    AGE,
)


def _first_seen(event: core.Event, now: float) -> str:
    return cells.age(event.firstTimestamp if event.firstTimestamp.seconds else event.eventTime, now)


def _last_seen(event: core.Event, now: float) -> str:
    if event.HasField("series"):
        return cells.age(event.series.lastObservedTime, now)
    if event.lastTimestamp.seconds:
        return cells.age(event.lastTimestamp, now)
    return _first_seen(event, now)


def _object(event: core.Event, _now: float) -> str:
    target = event.involvedObject
    return f"{target.kind.lower()}/{target.name}" if target.name else target.kind.lower()


def _source(event: core.Event, _now: float) -> str:
    component = event.source.component or event.reportingComponent
    return ", ".join(filter(None, (component, event.source.host or event.reportingInstance)))


def _count(event: core.Event, _now: float) -> str:
    return str(event.series.count if event.HasField("series") else event.count or 1)


EVENTS = (
    Column("Last Seen", "string", 0, _last_seen),
    Column("Type", "string", 0, lambda event, _now: event.type),
    Column("Reason", "string", 0, lambda event, _now: event.reason),
    Column("Object", "string", 0, _object),
    Column("Subobject", "string", 1, lambda event, _now: event.involvedObject.fieldPath),
    Column("Source", "string", 1, _source),
    Column("Message", "string", 0, lambda event, _now: event.message.strip()),
    Column("First Seen", "string", 1, _first_seen),
    Column("Count", "string", 1, _count),
    Column("Name", "string", 1, NAME.getter),
)
