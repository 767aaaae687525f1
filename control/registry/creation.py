"""Turning a CREATE into a draft: place, name, default, check, stamp.

Pure module. Called by `preparation`. That the name is free is judged by the store, not here, so
that a repeated request is recognised as the same one.
"""

from __future__ import annotations

from typing import Any

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.strategies as strategies
from holdfast.api import codec, objects
from holdfast.api.errors import ApiError, Reason, invalid, not_found
from holdfast.api.kinds import Kind
from holdfast.api.objects import names
from holdfast.api.objects.metadata import validate as validate_metadata
from holdfast.control.registry.drafts import Draft, Situation
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.sizes import serialized
from holdfast.control.registry.strategies.generic import Strategy, has_spec
from holdfast.control.store.commands import ABSENT, Key, Write


def create(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    """The draft of a new object. Raises ApiError."""
    strategy = strategies.of(kind.resource)
    new = _copied(intent, kind)
    meta = new.metadata
    namespace = metadata.place(kind, intent, meta)
    _check_namespace(kind, namespace, situation)
    given = metadata.named(kind, intent, meta)
    name = given or metadata.generated(kind, meta, situation)
    metadata.clear_system_fields(meta)
    meta.name = name
    make = _make_pod if kind.resource == "pods" else _make
    taken = make(new, kind, strategy, situation)
    metadata.stamp_created(meta, kind, situation, counted=has_spec(new))
    key = Key(kind.resource, namespace, name)
    data = serialized(new, kind)
    writes = (Write(key, data, ABSENT), *taken)
    return Draft(key, writes, new, data, None, pinned=True, generated=not given)


def _copied(intent: Intent, kind: Kind) -> Any:
    if intent.message is None:
        raise ApiError(Reason.BAD_REQUEST, f"no {kind.kind} was sent to create")
    if intent.message.metadata.resourceVersion:
        message = "metadata.resourceVersion must not be set on objects to be created"
        raise ApiError(Reason.BAD_REQUEST, message, kind.kind, intent.message.metadata.name)
    new = type(intent.message)()
    new.CopyFrom(intent.message)
    return new


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
    causes = [*objects.validate(kind, new), *objects.unbuilt(kind, new)]
    if causes:
        raise invalid(kind.kind, new.metadata.name, causes)
    return taken


def _make_pod(new: Any, kind: Kind, strategy: Strategy, situation: Situation) -> list[Write]:
    """As `_make`, but spec and status once for all pods that are sent with the same spec."""
    sent = new.spec.SerializeToString(deterministic=True)
    ready = situation.proven.get(sent)
    if ready is None:
        taken = _make(new, kind, strategy, situation)
        rest = type(new)(spec=new.spec, status=new.status)
        situation.proven.put(sent, rest.SerializeToString())
        return taken
    codec.normalize(new.metadata)
    found = objects.Findings()
    validate_metadata(new.metadata, kind, names.subdomain, found)
    if found:
        raise invalid(kind.kind, new.metadata.name, found)
    new.ClearField("spec")
    new.ClearField("status")
    new.MergeFromString(ready)
    return []
