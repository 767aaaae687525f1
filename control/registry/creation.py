"""Turning CREATEs into drafts: place, name, default, check, stamp.

Pure module. Called by `preparation`. That the name is free is judged by the store, not here, so
that a repeated request is recognised as the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.strategies as strategies
from holdfast.api import codec, names, objects
from holdfast.api.errors import ApiError, Reason, invalid, not_found
from holdfast.api.kinds import Kind
from holdfast.api.objects.metadata import validate as validate_metadata
from holdfast.control.registry.drafts import Draft, Situation
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.sizes import first_field_bytes, serialized
from holdfast.control.registry.strategies.generic import has_spec
from holdfast.control.store.commands import ABSENT, Key, Write, new_tuple

if TYPE_CHECKING:
    from google.protobuf.message import Message


class _Sample(NamedTuple):
    """A pod that was checked and drafted, for others that are sent as the same message: a
    controller's order of many. rest: what is stored behind the metadata."""

    sent: Any
    key: Key
    metadata: Any
    rest: bytes


class Creation:
    """The creates of one kind in one situation: what they have in common is looked up once.

    Made for each preparation of a group of writes, so that a namespace it has seen is still there.
    """

    __slots__ = (
        "_in_place",
        "_is_pod",
        "_kind",
        "_message",
        "_open",
        "_sample",
        "_situation",
        "_stamp",
        "_strategy",
    )

    def __init__(self, kind: Kind, situation: Situation) -> None:
        self._kind = kind
        self._situation = situation
        self._message: type[Message] = kind.message
        self._strategy = strategies.of(kind.resource)
        self._is_pod = kind.resource == "pods"
        # Not where a second try needs what was sent: to know its spec, or to choose an address.
        self._in_place = not (self._is_pod or self._strategy.has_addresses)
        counted = has_spec(self._message)
        self._stamp = metadata.stamp(
            situation.manager, kind.api_version, int(situation.now), counted=counted
        )
        self._open: set[str] = set()  # namespaces that take new objects
        self._sample: _Sample | None = None

    def draft(self, intent: Intent, key: Key) -> Draft:
        """The draft of a new object. key: where it will be, name "" when it is to be drawn.
        Raises ApiError."""
        kind, situation, sample = self._kind, self._situation, self._sample
        if sample and sample.sent is intent.message and key == sample.key:
            return self._twin(sample)
        sent = self._sent(intent)
        rest = situation.proven.find(sent.spec) if self._is_pod else b""
        new: Any = sent if intent.sole and self._in_place else self._message()
        if rest:
            new.metadata.CopyFrom(sent.metadata)
        elif new is not sent:
            new.CopyFrom(sent)
        meta = new.metadata
        _, namespace, name = key
        if meta.namespace != namespace or kind.namespaced is not bool(namespace):
            metadata.place(kind, intent, meta)
        if namespace and namespace not in self._open:
            self._check_namespace(namespace)
        if not name or meta.name != name:
            metadata.named(kind, intent, meta)
            meta.name = name or metadata.generated(kind, meta, situation)
        metadata.clear_system_fields(meta)
        if not intent.sole:
            codec.normalize(meta if rest else new)
        taken = self._check_metadata(meta) if rest else self._make(new)
        meta.uid = situation.ids.uid()
        meta.MergeFromString(self._stamp)
        data = serialized(new, kind, rest)
        if self._is_pod and not rest:
            situation.proven.learn(sent.spec, data[first_field_bytes(data) :])
        if not name:
            if rest:
                self._sample = _Sample(sent, key, meta, rest)
            key = Key(kind.resource, namespace, meta.name)
        write = new_tuple(Write, (key, data, ABSENT))
        whole = None if rest else new
        return Draft(key, (write, *taken), data, pinned=True, generated=not name, message=whole)

    def _twin(self, sample: _Sample) -> Draft:
        """One more pod of the same order: only its name and uid are its own."""
        kind, situation = self._kind, self._situation
        new: Any = self._message()
        meta = new.metadata
        meta.CopyFrom(sample.metadata)
        meta.name = name = metadata.generated(kind, meta, situation)
        meta.uid = situation.ids.uid()
        data = serialized(new, kind, sample.rest)
        key: Key = new_tuple(Key, (kind.resource, meta.namespace, name))
        write = new_tuple(Write, (key, data, ABSENT))
        return Draft(key, (write,), data, pinned=True, generated=True)

    def _sent(self, intent: Intent) -> Any:
        sent, kind = intent.message, self._kind.kind
        if sent is None:
            raise ApiError(Reason.BAD_REQUEST, f"no {kind} was sent to create")
        if sent.metadata.resourceVersion:
            message = "metadata.resourceVersion must not be set on objects to be created"
            raise ApiError(Reason.BAD_REQUEST, message, kind, sent.metadata.name)
        return sent

    def _check_namespace(self, namespace: str) -> None:
        entry = self._situation.view.get("namespaces", "", namespace)
        if entry is None:
            raise not_found("namespaces", namespace)
        if entry.message.metadata.HasField("deletionTimestamp"):
            message = (
                f"{self._kind.resource} is forbidden: unable to create new content in namespace "
                f'"{namespace}" because it is being terminated'
            )
            raise ApiError(Reason.FORBIDDEN, message, self._kind.kind)
        self._open.add(namespace)

    def _make(self, new: Any) -> list[Write]:
        """Bring an object in normal form into the one that is stored, and check it."""
        self._strategy.before_create(new, self._situation)
        objects.default(self._kind, new)
        taken = self._strategy.claims(new, None, self._situation)
        if causes := objects.check(self._kind, new):
            raise invalid(self._kind.kind, new.metadata.name, causes)
        return taken

    def _check_metadata(self, meta: Any) -> list[Write]:
        """What is left to do for a pod whose spec was proven by an earlier one."""
        found = objects.Findings()
        validate_metadata(meta, self._kind, names.subdomain, found)
        if found:
            raise invalid(self._kind.kind, meta.name, found)
        return []
