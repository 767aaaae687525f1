"""The part of metadata that the system owns: clients' values for it are never believed.

Pure module. Field by field as Kubernetes' apiserver does (rest.FillObjectMetaSystemFields,
rest.BeforeUpdate); of managedFields the entry without the set of fields.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from holdfast.api.errors import ApiError, Cause, CauseReason, Reason, conflict, invalid
from holdfast.api.kinds import Kind
from holdfast.api.meta.v1 import meta_pb2
from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.intents import Intent

GENERATED_PREFIX_MAX = 58
"""Longest part of generateName that is used: with its five characters a name stays a DNS label."""
MANAGERS_MAX = 10
"""Entries of managedFields kept; the oldest goes first (Kubernetes' bound for updates)."""
MANAGER_CHARACTERS_MAX = 128

_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "selfLink",
    "resourceVersion",
)


def clear_system_fields(metadata: Any) -> None:
    """Forget what a client claims about an object that is being created."""
    clear = metadata.ClearField  # cheaper than asking which of them are set
    for name in _SYSTEM_FIELDS:
        clear(name)


def keep_system_fields(new: Any, old: Any) -> None:
    """Carry the system's fields over an update."""
    new.uid = old.uid
    new.creationTimestamp.CopyFrom(old.creationTimestamp)
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        if not old.HasField(name):
            new.ClearField(name)
    if old.HasField("deletionTimestamp"):
        new.deletionTimestamp.CopyFrom(old.deletionTimestamp)
    if old.HasField("deletionGracePeriodSeconds"):
        new.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds
    if old.HasField("generation"):
        new.generation = old.generation
    new.ClearField("managedFields")
    new.managedFields.extend(old.managedFields)
    new.ClearField("selfLink")
    new.ClearField("resourceVersion")


def place(kind: Kind, intent: Intent, metadata: Any) -> str:
    """The namespace of an object that is written, also set in its metadata.

    Raises ApiError BadRequest when request and object disagree, or scope forbids it.
    """
    sent = metadata.namespace
    if sent and intent.namespace and sent != intent.namespace:
        message = (
            f'the namespace of the object ("{sent}") does not match the namespace of the '
            f'request ("{intent.namespace}")'
        )
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, metadata.name)
    namespace = intent.namespace or str(sent)
    check_scope(kind, namespace)
    if namespace:
        metadata.namespace = namespace
    else:
        metadata.ClearField("namespace")
    return namespace


def check_scope(kind: Kind, namespace: str) -> None:
    """Raises ApiError BadRequest for a namespace too many or too few."""
    if kind.namespaced and not namespace:
        raise ApiError(Reason.BAD_REQUEST, f"a namespace is required for {kind.resource}")
    if namespace and not kind.namespaced:
        message = f'{kind.resource} are not namespaced, but namespace "{namespace}" was given'
        raise ApiError(Reason.BAD_REQUEST, message)


def named(kind: Kind, intent: Intent, metadata: Any) -> str:
    """The name in request and object. Raises ApiError BadRequest when they disagree."""
    sent = str(metadata.name)
    if sent and intent.name and sent != intent.name:
        message = (
            f'the name of the object ("{sent}") does not match the name of the '
            f'request ("{intent.name}")'
        )
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, intent.name)
    return intent.name or sent


def generated(kind: Kind, metadata: Any, situation: Situation) -> str:
    """A name drawn from generateName. Raises ApiError Invalid when there is none."""
    prefix = metadata.generateName
    if not prefix:
        cause = Cause(CauseReason.REQUIRED, "metadata.name", "name or generateName is required")
        raise invalid(kind.kind, "", [cause])
    return f"{prefix[:GENERATED_PREFIX_MAX]}{situation.ids.suffix()}"


def expected_revision(kind: Kind, intent: Intent, name: str) -> int | None:
    """The revision the caller insists on, None when any will do.

    Raises ApiError BadRequest for a resourceVersion that is no number.
    """
    if intent.expect_revision is not None:
        return intent.expect_revision
    sent = "" if intent.message is None else str(intent.message.metadata.resourceVersion)
    return revision_of(sent, kind.kind, name)


def revision_of(sent: str, kind: str, name: str) -> int | None:
    """A resourceVersion as a number, None when empty. Raises ApiError BadRequest."""
    if not sent or sent == "0":
        return None
    if not (sent.isascii() and sent.isdigit() and len(sent) < 19):
        message = f'metadata.resourceVersion "{sent[:40]}" is not one that this cluster gave out'
        raise ApiError(Reason.BAD_REQUEST, message, kind, name)
    return int(sent)


def check_incarnation(kind: Kind, intent: Intent, old: Any) -> None:
    """Raises ApiError Conflict when the caller means another incarnation of the name."""
    wanted = intent.uid
    if not wanted and intent.message is not None and intent.subresource != "scale":
        wanted = intent.message.metadata.uid
    if wanted and wanted != old.metadata.uid:
        why = f"the uid in the precondition ({wanted}) is not the object's ({old.metadata.uid})"
        raise conflict(kind.resource, old.metadata.name, why)


@lru_cache(maxsize=64)  # many requests of a second
def stamp(manager: str, api_version: str, now_s: int, *, counted: bool) -> bytes:
    """What new objects of one maker and second have in common, as the bytes of a metadata: one
    merge is cheaper than each field's setting. counted: they have a generation."""
    made = meta_pb2.ObjectMeta()
    made.creationTimestamp.seconds = now_s
    if counted:
        made.generation = 1
    return made.SerializeToString() + _entry(manager, api_version, "", now_s)


def stamp_manager(metadata: Any, kind: Kind, situation: Situation, subresource: str) -> None:
    """Note who wrote last, and when: one entry a manager and subresource."""
    now_s = int(situation.now)
    entries = metadata.managedFields
    for entry in entries:
        if entry.manager == situation.manager and entry.subresource == subresource:
            entry.apiVersion = kind.api_version
            entry.time.seconds = now_s
            return
    if len(entries) >= MANAGERS_MAX:
        oldest = min(range(len(entries)), key=lambda index: entries[index].time.seconds)
        del entries[oldest]
    metadata.MergeFromString(_entry(situation.manager, kind.api_version, subresource, now_s))


@lru_cache(maxsize=64)
def _entry(manager: str, api_version: str, subresource: str, now_s: int) -> bytes:
    """One entry of managedFields, as the bytes of a metadata: it is appended by a merge."""
    made = meta_pb2.ObjectMeta()
    entry = made.managedFields.add(manager=manager, operation="Update", apiVersion=api_version)
    entry.time.seconds = now_s
    if subresource:
        entry.subresource = subresource
    return made.SerializeToString()


def set_time(field: meta_pb2.Time, now: float) -> None:
    """Write whole seconds into a Time."""
    field.Clear()
    field.seconds = int(now)
