"""Requests of the wire to intents, answers to outcomes.

Raises ApiError for what cannot be meant; whether it may be is judged elsewhere.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from holdfast.api import kinds
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.api.wire import status_bytes
from holdfast.control.registry.intents import Intent, Propagation, Verb
from holdfast.control.registry.metadata import revision_of
from holdfast.control.rpc.objects.decoding import decode

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from holdfast.control.registry.intents import Done

_PROPAGATION = {
    resources_pb2.BACKGROUND: Propagation.BACKGROUND,
    resources_pb2.FOREGROUND: Propagation.FOREGROUND,
    resources_pb2.ORPHAN: Propagation.ORPHAN,
}
_BATCH_SUBRESOURCES = ("", "status")
_BATCH_VERBS = {resources_pb2.CREATE: Verb.CREATE, resources_pb2.UPDATE: Verb.UPDATE}


def creation(request: resources_pb2.CreateRequest) -> Intent:
    """A new object, or a Binding: the update of a pod's node."""
    kind = _kind(request.resource)
    if not request.subresource:
        message = decode(kind.message, request.object)
        namespace, name = request.namespace, request.name
        return Intent(Verb.CREATE, request.resource, namespace, name, message, sole=True)
    if request.subresource != "binding" or kind.resource != "pods":
        what = f'{kind.resource} have no subresource "{request.subresource}" that can be created'
        raise ApiError(Reason.NOT_FOUND, what, kind.kind)
    binding = decode(core_pb2.Binding, request.object)
    if binding.target.kind not in ("", "Node"):
        what = f'target.kind must be "Node", not "{binding.target.kind}"'
        raise ApiError(Reason.BAD_REQUEST, what, "Binding", request.name)
    pod = core_pb2.Pod()
    pod.metadata.CopyFrom(binding.metadata)
    pod.spec.nodeName = binding.target.name
    namespace = request.namespace or binding.metadata.namespace
    name = request.name or binding.metadata.name
    return Intent(Verb.UPDATE, kind.resource, namespace, name, pod, "binding")


def update(request: resources_pb2.UpdateRequest) -> Intent:
    """An object, or a part of it, written over."""
    kind = _kind(request.resource)
    if request.subresource == "binding":
        what = f"a binding of {kind.resource} is created, not updated"
        raise ApiError(Reason.METHOD_NOT_ALLOWED, what, kind.kind)
    message = decode(kinds.subresource_message(kind, request.subresource), request.object)
    namespace, name = request.namespace, request.name
    part = request.subresource
    return Intent(Verb.UPDATE, request.resource, namespace, name, message, part, sole=True)


def deletion(
    resource: str, namespace: str, name: str, options: resources_pb2.DeleteOptions
) -> Intent:
    """A delete with its preconditions."""
    kind = _kind(resource)
    propagation = _PROPAGATION.get(options.propagation)
    if propagation is None:
        what = f"unknown propagation policy {options.propagation}"
        raise ApiError(Reason.BAD_REQUEST, what, kind.kind, name)
    return Intent(
        Verb.DELETE,
        resource,
        namespace,
        name,
        expect_revision=revision_of(options.resource_version, kind.kind, name),
        uid=options.uid,
        propagation=propagation,
        grace_period_s=options.grace_period_s if options.HasField("grace_period_s") else None,
    )


def batched(write: resources_pb2.BatchWrite) -> Intent:
    """One write of a batch."""
    if write.verb == resources_pb2.DELETE:
        intent = deletion(write.resource, write.namespace, write.name, write.delete_options)
        return intent if not write.uid else _with_uid(intent, write.uid)
    verb, resource, part = _BATCH_VERBS.get(write.verb), write.resource, write.subresource
    if verb is None:
        raise ApiError(Reason.BAD_REQUEST, f"a write of a batch has no verb {write.verb}")
    if part not in _BATCH_SUBRESOURCES:
        raise ApiError(Reason.BAD_REQUEST, f'a batch cannot write the subresource "{part}"')
    message = decode(_message_of(resource), write.object)
    namespace, name, uid = write.namespace, write.name, write.uid
    return Intent(verb, resource, namespace, name, message, part, uid=uid, sole=True)


def tell(
    outcome: resources_pb2.BatchOutcome, write: resources_pb2.BatchWrite, answer: Done | ApiError
) -> None:
    """Fill in what became of one write of a batch; the name when the server made it."""
    if isinstance(answer, ApiError):
        outcome.refusal = status_bytes(answer)
        return
    outcome.revision = answer.revision
    if answer.entry is not None and not write.name:
        outcome.name = answer.entry.key.name


def _with_uid(intent: Intent, uid: str) -> Intent:
    if intent.uid and intent.uid != uid:
        raise ApiError(Reason.BAD_REQUEST, "uid and delete_options.uid are not the same")
    return intent._replace(uid=uid)


@cache  # of the built kinds: a refusal is not kept
def _message_of(resource: str) -> type[Message]:
    return _kind(resource).message


def _kind(resource: str) -> Kind:
    return kinds.require_built(kinds.by_resource(resource))
