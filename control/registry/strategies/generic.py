"""What holds for every kind unless its own strategy says otherwise. Pure module."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from holdfast.api.errors import Cause
from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.intents import Intent
from holdfast.control.store.commands import Write

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


class Strategy:
    """Hooks around the generic way of a write; `new` is the registry's own copy throughout.

    has_addresses: its creates, updates and deletes may take or free addresses, so each is a
    commit of its own.
    """

    has_addresses = False

    def before_create(self, new: Any, _situation: Situation) -> None:
        """Set what the system owns. A status that a client sends is dropped."""
        if has_status(new):
            new.ClearField("status")

    def before_update(self, new: Any, old: Any) -> None:
        """Carry over what an update of the object itself cannot change: its status."""
        if not has_status(new):
            return
        if old.HasField("status"):
            new.status.CopyFrom(old.status)
        else:
            new.ClearField("status")

    def claims(self, _new: Any, _old: Any, _situation: Situation) -> list[Write]:
        """Fill in addresses; the writes that take and free them. old: None for a create."""
        return []

    def releases(self, _old: Any, _situation: Situation) -> list[Write]:
        """The writes that free the addresses of an object that goes."""
        return []

    def status_causes(self, _new: Any) -> list[Cause]:
        """What is wrong with a status that somebody wants to write."""
        return []

    def check_delete(self, old: Any) -> None:
        """Raises ApiError when this object must not be deleted."""

    def grace_s(self, _intent: Intent, _old: Any) -> int:
        """How long the object is told to wait before it goes; 0 = at once."""
        return 0

    def held(self, new: Any) -> bool:
        """Whether a deleted object must wait for somebody: its finalizers."""
        return len(new.metadata.finalizers) > 0

    def mark_deleted(self, new: Any) -> None:
        """Note in the object, beside deletionTimestamp, that it is on its way out."""

    def check_removal(self, _old: Any, _situation: Situation) -> None:
        """Raises ApiError Conflict when something must happen before the object goes."""


def has_status(message: Any) -> bool:
    """Whether objects of this kind have a status of their own."""
    return "status" in _fields(message.DESCRIPTOR)


def has_spec(message: Any) -> bool:
    """Whether objects of this kind (or its message) have a spec, and so a generation."""
    return "spec" in _fields(message.DESCRIPTOR)


@cache
def _fields(descriptor: Descriptor) -> frozenset[str]:
    return frozenset(descriptor.fields_by_name)
