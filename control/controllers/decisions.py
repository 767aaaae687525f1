"""What a controller sees and what it answers: the vocabulary of all controllers.

A controller names the resources it listens to (`triggers`: an update → the keys to look at) and
reconciles one key at a time. It is told every update exactly once, in order, before the next
reconcile, so a trigger may also keep an incremental count; everything else it reads from the
view, where its own earlier writes have already arrived. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update
    from holdfast.control.notes import Note
    from holdfast.control.registry.intents import Intent

WRITES_MAX = 500
"""Writes of one decision and of one commit: what a reconcile prepares within a slice."""


class Key(NamedTuple):
    """What one reconcile looks at: an object, usually. uid: set where a name is not enough."""

    namespace: str
    name: str
    uid: str = ""
    resource: str = ""


class View(Protocol):
    """The cluster as the cache has it. Nothing that comes out of it may be changed."""

    def get(self, resource: str, namespace: str, name: str) -> Entry | None:
        """One object."""

    def list(self, resource: str, namespace: str = "") -> Sequence[Entry]:
        """The objects of a resource, of one namespace or of all, by (namespace, name)."""

    def by_index(self, resource: str, index: str, value: str) -> Sequence[Entry]:
        """The objects under one value of an index ("owner": controller's uid, …)."""


Trigger = Callable[[View, "Update"], Iterable[Key]]


@dataclass(frozen=True, slots=True)
class Order:
    """One write wanted, and what to tell about it.

    done, refused: events recorded when the registry has answered; "{name}" in their message
    becomes the written object's name, "{error}" the refusal.
    """

    intent: Intent
    done: Note | None = None
    refused: Note | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of a reconcile: writes, and when to look again (Unix seconds; None = when
    something changes). A time that is not in the future means at once, past the controller's
    own interval: there is more of the same to do."""

    orders: Sequence[Order] = ()
    again_at: float | None = None

    @property
    def intents(self) -> list[Intent]:
        """The writes alone, in order."""
        return [order.intent for order in self.orders]


NOTHING = Decision()


class Controller(Protocol):
    """One controller.

    name: writes as `system:controller:<name>` and names its events' source. interval_s: a key is
    looked at again no sooner than this after its last look; what happens in between is seen
    together (0 = at once).
    """

    @property
    def name(self) -> str: ...

    @property
    def interval_s(self) -> float: ...

    @property
    def triggers(self) -> Mapping[str, Trigger]: ...

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """What to write so that the key's object becomes what it should be."""


def own_key(_view: View, update: Update) -> tuple[Key, ...]:
    """The trigger of a controller's own resource: the object itself."""
    entry = update.new or update.old
    return (Key(entry.key.namespace, entry.key.name),) if entry else ()


def set_count(status: Any, field: str, value: int) -> None:
    """Write a count of a status; 0 is left out, so that equal states have equal bytes."""
    if value:
        setattr(status, field, value)
    else:
        status.ClearField(field)
