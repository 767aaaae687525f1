"""Pure rules over objects: what is implied, what is valid, what may change, what is not built.

    objects.default(kind, message)              in place, at the door
    objects.validate(kind, message)             -> every cause, with its field's path
    objects.validate_update(kind, old, new)     -> what may not change; call `validate` too
    objects.unbuilt(kind, message)              -> fields that would have no effect
    objects.check(kind, message)                -> both

and the questions other parts ask: `requests`, `readiness`, `conditions`, `owners`, `templates`,
`taints`, `affinity`, `events`, `intorstring`. Nothing here looks at other objects: whether a
namespace exists or an address is free is the registry's business. Pure package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.api.objects import built, metadata
from holdfast.api.objects.findings import Findings
from holdfast.api.objects.strategies import table

if TYPE_CHECKING:
    from typing import Any

    from holdfast.api.errors import Cause
    from holdfast.api.kinds import Kind

__all__ = ["Findings", "check", "default", "unbuilt", "validate", "validate_update"]


def default(kind: Kind, message: Any) -> None:
    """Write into the object what its author left out and Kubernetes implies.

    In place and idempotent. Raises ApiError NotImplemented when the kind is not built.
    """
    table.of(kind).default(message)


def check(kind: Kind, message: Any) -> list[Cause]:
    """Everything that is wrong with a defaulted object and everything that would have no effect:
    what `validate` and `unbuilt` find."""
    return [*validate(kind, message), *unbuilt(kind, message)]


def validate(kind: Kind, message: Any) -> list[Cause]:
    """Everything that is wrong with a defaulted object, each with its path; [] when it is fine.

    metadata.name must be there already (the registry generates it first), so must the namespace.
    """
    rules = table.of(kind)
    found = Findings()
    metadata.validate(message.metadata, kind, rules.name_rule, found)
    rules.validate(message, found)
    return found


def validate_update(kind: Kind, old: Any, new: Any) -> list[Cause]:
    """What an update changes and may not. `new` is defaulted and has passed `validate`."""
    found = Findings()
    metadata.validate_update(old.metadata, new.metadata, found)
    table.of(kind).validate_update(old, new, found)
    return found


def unbuilt(kind: Kind, message: Any) -> list[Cause]:
    """The fields that are set, valid by the schema, and would have no effect.

    Looks at everything but status. Raises ApiError NotImplemented when the kind is not built.
    """
    table.of(kind)
    found = Findings()
    built.check(message, found)
    return found
