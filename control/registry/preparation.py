"""From an intent to a draft: which kind, which way. Pure module.

The one entry into what the other pure modules of the registry decide.
"""

from __future__ import annotations

import holdfast.control.registry.changes as changes
import holdfast.control.registry.removal as removal
import holdfast.control.registry.strategies as strategies
import holdfast.control.registry.subresources as subresources
from holdfast.api import kinds
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.control.registry.creation import Creation
from holdfast.control.registry.drafts import Draft, Situation
from holdfast.control.registry.intents import Intent, Verb
from holdfast.control.store.commands import Key, new_tuple


class Preparation:
    """Prepares the intents of one group of writes, while their namespaces are kept."""

    __slots__ = ("_creations", "_situation")

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._creations: dict[str, Creation] = {}  # by resource

    def draft(self, intent: Intent, key: Key) -> Draft:
        """The draft of one intent. key: `key_of` it. Raises ApiError; then every address it chose
        is free again."""
        situation = self._situation
        situation.fresh.clear()
        try:
            if intent.verb is Verb.CREATE:
                return self._creation(intent).draft(intent, key)
            return _changed(intent, served(intent.resource), situation)
        except ApiError:
            situation.reserved.difference_update(situation.fresh)
            raise

    def _creation(self, intent: Intent) -> Creation:
        found = self._creations.get(intent.resource)
        if found is None:
            found = Creation(served(intent.resource), self._situation)
            self._creations[intent.resource] = found
        if intent.subresource:
            _check_whole(intent, served(intent.resource))
        return found


def served(resource: str) -> Kind:
    """The kind of a resource that can be written.

    Raises ApiError NotFound for an unknown one (internal ones too), NotImplemented for one that
    is not built.
    """
    return kinds.require_built(kinds.by_resource(resource))


def stands_alone(intent: Intent) -> bool:
    """Whether this intent may take or free addresses, and so needs an atomic commit of its own."""
    return not intent.subresource and strategies.of(intent.resource).has_addresses


def key_of(intent: Intent) -> Key:
    """The key an intent is about, name "" when it will be generated."""
    namespace, name = intent.namespace, intent.name
    if not (namespace and name) and intent.message is not None:
        metadata = intent.message.metadata
        namespace, name = namespace or metadata.namespace, name or metadata.name
    key: Key = new_tuple(Key, (intent.resource, namespace, name))
    return key


def _changed(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    if intent.verb is Verb.DELETE:
        _check_whole(intent, kind)
        target = changes.Target(intent, kind, situation)
        return removal.delete(target, intent, kind, situation)
    if intent.message is None:
        raise ApiError(Reason.BAD_REQUEST, f"no {kind.kind} was sent to update", kind.kind)
    if intent.subresource:
        return subresources.of(kind, intent.subresource)(intent, kind, situation)
    return changes.update(intent, kind, situation)


def _check_whole(intent: Intent, kind: Kind) -> None:
    if intent.subresource:
        message = (
            f'a {intent.verb} is of a whole object, not of its subresource "{intent.subresource}"'
        )
        raise ApiError(Reason.METHOD_NOT_ALLOWED, message, kind.kind)
