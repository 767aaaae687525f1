"""Between the wire's messages and the client's own types. Pure module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from holdfast.api import kinds
from holdfast.api.autoscaling.v1 import autoscaling_pb2
from holdfast.api.client.events import Event, EventType, Outcome, Write, WriteVerb
from holdfast.api.errors import from_status
from holdfast.api.meta.v1 import meta_pb2
from holdfast.api.rpc.v1 import cluster_pb2, resources_pb2

REPLIES: dict[str, Callable[[bytes], Message]] = {
    "Create": resources_pb2.ObjectReply.FromString,
    "Get": resources_pb2.ObjectReply.FromString,
    "Update": resources_pb2.ObjectReply.FromString,
    "Patch": resources_pb2.ObjectReply.FromString,
    "Delete": resources_pb2.ObjectReply.FromString,
    "List": resources_pb2.ListReply.FromString,
    "DeleteCollection": resources_pb2.DeleteCollectionReply.FromString,
    "Batch": resources_pb2.BatchReply.FromString,
    "Watch": resources_pb2.WatchReply.FromString,
    "Kinds": resources_pb2.KindsReply.FromString,
    "Status": cluster_pb2.ClusterStatusReply.FromString,
}
"""Method name → how its answer is read."""

_EVENT_TYPES = {
    resources_pb2.ADDED: EventType.ADDED,
    resources_pb2.MODIFIED: EventType.MODIFIED,
    resources_pb2.DELETED: EventType.DELETED,
    resources_pb2.BOOKMARK: EventType.BOOKMARK,
}
_VERBS = {
    WriteVerb.CREATE: resources_pb2.CREATE,
    WriteVerb.UPDATE: resources_pb2.UPDATE,
    WriteVerb.DELETE: resources_pb2.DELETE,
}


def serialize(message: Message) -> bytes:
    """A request's bytes."""
    return message.SerializeToString()


def message_type(resource: str, subresource: str) -> type[Any]:
    """The message that a reply about this resource holds."""
    if subresource == "scale":
        return autoscaling_pb2.Scale
    return kinds.by_resource(resource).message


def event(kind: kinds.Kind, item: resources_pb2.WatchEvent) -> Event:
    """One event of a watch."""
    kind_of_event = _EVENT_TYPES[item.type]
    if kind_of_event is EventType.BOOKMARK:
        return Event(kind_of_event, item.revision, None)
    return Event(kind_of_event, item.revision, kind.message.FromString(item.object))


def batch_write(item: resources_pb2.BatchWrite, write: Write) -> None:
    """Fill in one write of a batch for the wire."""
    item.verb = _VERBS[write.verb]
    item.resource = write.resource
    namespace, name = write.namespace, write.name
    if write.message is not None:
        metadata = write.message.metadata
        item.object = write.message.SerializeToString()
        namespace, name = namespace or metadata.namespace, name or metadata.name
    item.namespace, item.name = namespace, name
    if write.subresource:
        item.subresource = write.subresource
    if write.uid:
        item.uid = write.uid
    if write.grace_period_s is not None:
        item.delete_options.grace_period_s = write.grace_period_s


def outcomes(reply: resources_pb2.BatchReply) -> list[Outcome]:
    """What became of each write of a batch."""
    return [outcome(item) for item in reply.outcomes]


def outcome(item: resources_pb2.BatchOutcome) -> Outcome:
    """What became of one write of a batch."""
    if item.refusal:
        refusal = from_status(meta_pb2.Status.FromString(item.refusal))
        return Outcome(0, refusal, item.name)
    return Outcome(item.revision, None, item.name)
