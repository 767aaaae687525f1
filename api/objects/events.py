"""Events of core/v1: building one, and telling that two are the same thing again. Pure module.

Whoever reports (controllers, scheduler, node agents) builds events here and counts repeats with
`repeat` instead of writing new objects. Time and the name's suffix are arguments.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api.core.v1 import core_pb2

if TYPE_CHECKING:
    from holdfast.api.kinds import Kind

MESSAGE_BYTES_MAX = 1024
_NAME_MAX = 253


class Severity(StrEnum):
    """Event.type."""

    NORMAL = "Normal"
    WARNING = "Warning"


class Source(NamedTuple):
    """Who reports: "deployment-controller", or "kubelet" on a node."""

    component: str
    node: str = ""


class News(NamedTuple):
    """What is reported. reason: one CamelCase word people filter by."""

    severity: Severity
    reason: str
    message: str


def reference(kind: Kind, message: Any, field_path: str = "") -> core_pb2.ObjectReference:
    """A reference to an object, perhaps to a part of it ("spec.containers{web}")."""
    meta = message.metadata
    return core_pb2.ObjectReference(
        apiVersion=kind.api_version,
        kind=kind.kind,
        namespace=meta.namespace or None,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion or None,
        fieldPath=field_path or None,
    )


def build(
    involved: core_pb2.ObjectReference, news: News, source: Source, now: float, suffix: str
) -> core_pb2.Event:
    """A new Event about an object. now: Unix seconds. suffix: makes the name unique, lower-case
    letters and digits. It lives in the object's namespace, "default" for cluster-wide ones."""
    event = core_pb2.Event(
        involvedObject=involved,
        reason=news.reason,
        message=_shortened(news.message),
        type=news.severity,
        count=1,
        reportingComponent=source.component,
    )
    event.metadata.name = name(involved.name, suffix)
    event.metadata.namespace = involved.namespace or "default"
    event.source.component = source.component
    if source.node:
        event.source.host = source.node
        event.reportingInstance = source.node
    event.firstTimestamp.seconds = int(now)
    event.lastTimestamp.seconds = int(now)
    return event


def name(involved: str, suffix: str) -> str:
    """The name of an Event about the object of that name."""
    return f"{involved[: _NAME_MAX - 1 - len(suffix)]}.{suffix}"


def aggregation_key(event: core_pb2.Event) -> tuple[str, ...]:
    """Two events with equal keys are one thing that happened twice."""
    involved = event.involvedObject
    return (
        event.source.component,
        event.source.host,
        involved.kind,
        involved.namespace,
        involved.name,
        involved.uid,
        involved.fieldPath,
        event.type,
        event.reason,
        event.message,
    )


def repeat(event: core_pb2.Event, now: float, times: int = 1) -> None:
    """Count an event again, in place (on a copy of one that came out of a cache)."""
    event.count += times
    event.lastTimestamp.seconds = int(now)


def _shortened(text: str) -> str:
    data = text.encode()
    if len(data) <= MESSAGE_BYTES_MAX:
        return text
    return data[: MESSAGE_BYTES_MAX - 3].decode(errors="ignore") + "…"
