"""From an intent to a draft: which kind, which way. Pure module.

The one entry into what the other pure modules of the registry decide.
"""

from __future__ import annotations

import holdfast.control.registry.changes as changes
import holdfast.control.registry.creation as creation
import holdfast.control.registry.removal as removal
import holdfast.control.registry.strategies as strategies
import holdfast.control.registry.subresources as subresources
from holdfast.api import kinds
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.control.registry.drafts import Draft, Situation
from holdfast.control.registry.intents import Intent, Verb
from holdfast.control.store.commands import Key


def prepare(intent: Intent, situation: Situation) -> Draft:
    """The draft of one intent. Raises ApiError; then every address it chose is free again."""
    situation.fresh.clear()
    try:
        return _draft(intent, served(intent.resource), situation)
    except ApiError:
        situation.reserved.difference_update(situation.fresh)
        raise


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
    return Key(intent.resource, namespace, name)


def _draft(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    if intent.verb is Verb.CREATE:
        _check_whole(intent, kind)
        return creation.create(intent, kind, situation)
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
