"""Turning a CREATE into a draft: place, name, default, check, stamp.

Pure module. Called by `preparation`. That the name is free is judged by the store, not here, so
that a repeated request is recognised as the same one.
"""

from __future__ import annotations

from typing import Any

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.strategies as strategies
from holdfast.api import codec, names, objects
from holdfast.api.errors import ApiError, Reason, invalid, not_found
from holdfast.api.kinds import Kind
from holdfast.api.objects.metadata import validate as validate_metadata
from holdfast.control.registry.drafts import Draft, Situation
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.sizes import first_field_bytes, serialized
from holdfast.control.registry.strategies.generic import Strategy, has_spec
from holdfast.control.store.commands import ABSENT, Key, Write


def create(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    """The draft of a new object. Raises ApiError."""
    strategy = strategies.of(kind.resource)
    sent = _sent(intent, kind)
    is_pod = kind.resource == "pods"
    rest = situation.proven.find(sent.spec) if is_pod else b""
    new: Any = kind.message()
    if rest:
        new.metadata.CopyFrom(sent.metadata)
    else:
        new.CopyFrom(sent)
    meta = new.metadata
    namespace = metadata.place(kind, intent, meta)
    _check_namespace(kind, namespace, situation)
    given = metadata.named(kind, intent, meta)
    name = given or metadata.generated(kind, meta, situation)
    metadata.clear_system_fields(meta)
    meta.name = name
    taken = _check_metadata(meta, kind) if rest else _make(new, kind, strategy, situation)
    metadata.stamp_created(meta, kind, situation, counted=has_spec(new))
    data = serialized(new, kind, rest)
    if is_pod and not rest:
        situation.proven.learn(sent.spec, data[first_field_bytes(data) :])
    key = Key(kind.resource, namespace, name)
    return Draft(key, (Write(key, data, ABSENT), *taken), data, pinned=True, generated=not given)


def _sent(intent: Intent, kind: Kind) -> Any:
    sent = intent.message
    if sent is None:
        raise ApiError(Reason.BAD_REQUEST, f"no {kind.kind} was sent to create")
    if sent.metadata.resourceVersion:
        message = "metadata.resourceVersion must not be set on objects to be created"
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, sent.metadata.name)
    return sent


def _check_namespace(kind: Kind, namespace: str, situation: Situation) -> None:
    if not kind.namespaced:
        return
    entry = situation.view.get("namespaces", "", namespace)
    if entry is None:
        raise not_found("namespaces", namespace)
    if entry.message.metadata.HasField("deletionTimestamp"):
        message = (
            f'{kind.resource} is forbidden: unable to create new content in namespace "{namespace}"'
            " because it is being terminated"
        )
        raise ApiError(Reason.FORBIDDEN, message, kind.kind)


def _make(new: Any, kind: Kind, strategy: Strategy, situation: Situation) -> list[Write]:
    """Bring an object into the form that is stored, and check it."""
    codec.normalize(new)
    strategy.before_create(new, situation)
    objects.default(kind, new)
    taken = strategy.claims(new, None, situation)
    causes = objects.validate(kind, new)
    causes += objects.unbuilt(kind, new)
    if causes:
        raise invalid(kind.kind, new.metadata.name, causes)
    return taken


def _check_metadata(meta: Any, kind: Kind) -> list[Write]:
    """What is left to do for a pod whose spec was proven by an earlier one."""
    codec.normalize(meta)
    found = objects.Findings()
    validate_metadata(meta, kind, names.subdomain, found)
    if found:
        raise invalid(kind.kind, meta.name, found)
    return []
