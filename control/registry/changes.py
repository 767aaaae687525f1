"""Turning an UPDATE of an object itself into a draft.

Pure module. Called by `preparation`. Order: keep what the system owns, carry over the status, bring
into stored form, compare (an equal object is not written), check, stamp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.removal as removal
import holdfast.control.registry.strategies as strategies
from holdfast.api import codec, objects
from holdfast.api.errors import ApiError, Reason, conflict, invalid, not_found
from holdfast.api.kinds import Kind
from holdfast.control.registry.drafts import Draft, Situation, unchanged
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.sizes import serialized
from holdfast.control.registry.strategies.generic import has_spec
from holdfast.control.store.commands import Key, Write

if TYPE_CHECKING:
    from holdfast.control.cache import Entry


class Target:
    """What an update is about: the entry that is there, and whether the caller named its revision.

    Raises ApiError BadRequest, NotFound or Conflict when made.
    """

    __slots__ = ("entry", "key", "old", "pinned")

    def __init__(self, intent: Intent, kind: Kind, situation: Situation) -> None:
        sent = None if intent.message is None else intent.message.metadata
        name = intent.name if sent is None else metadata.named(kind, intent, sent)
        namespace = intent.namespace or ("" if sent is None else sent.namespace)
        metadata.check_scope(kind, namespace)
        if not name:
            raise ApiError(Reason.BAD_REQUEST, f"no name was given of {kind.resource}")
        entry = situation.view.get(kind.resource, namespace, name)
        if entry is None:
            raise not_found(kind.resource, name)
        expected = metadata.expected_revision(kind, intent, name)
        if expected is not None and expected != entry.revision:
            raise stale(kind.resource, name)
        metadata.check_incarnation(kind, intent, entry.message)
        self.key = Key(kind.resource, namespace, name)
        self.entry: Entry = entry
        self.old: Any = entry.message
        self.pinned = expected is not None

    def copy(self) -> Any:
        """The object as it is, to be changed."""
        new = type(self.old)()
        new.CopyFrom(self.old)
        return new

    def draft(self, new: Any, kind: Kind, freed: list[Write]) -> Draft:
        """Write this object, a copy of its own, and the addresses it takes or frees."""
        data = serialized(new, kind)
        write = Write(self.key, data, self.entry.revision)
        return Draft(self.key, (write, *freed), data, self.entry, self.pinned, message=new)


def stale(resource: str, name: str) -> ApiError:
    """The caller's resourceVersion is not the object's."""
    why = "the object has been modified; apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def update(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    """The draft of a changed object. Raises ApiError."""
    target = Target(intent, kind, situation)
    new: Any = kind.message()
    new.CopyFrom(intent.message)
    metadata.place(kind, intent, new.metadata)
    new.metadata.name = target.key.name
    metadata.keep_system_fields(new.metadata, target.old.metadata)
    strategy = strategies.of(kind.resource)
    strategy.before_update(new, target.old)
    if not intent.sole:
        codec.normalize(new)
    objects.default(kind, new)
    moved = strategy.claims(new, target.old, situation)
    if new.SerializeToString(deterministic=True) == target.entry.data:
        return unchanged(target.entry)
    causes = [
        *objects.validate_update(kind, target.old, new),
        *objects.check(kind, new),
    ]
    if causes:
        raise invalid(kind.kind, target.key.name, causes)
    if has_spec(new) and new.spec != target.old.spec and new.metadata.HasField("generation"):
        new.metadata.generation += 1
    metadata.stamp_manager(new.metadata, kind, situation, "")
    if new.metadata.HasField("deletionTimestamp") and removal.is_due(new, strategy):
        return removal.remove(target, kind, situation)
    return target.draft(new, kind, moved)
