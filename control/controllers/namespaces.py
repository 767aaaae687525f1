"""The Namespace controller: empties a namespace that is being deleted, then lets it go.

Everything in it is deleted, WRITES_MAX objects a decision; when nothing is left, the finalizer
"kubernetes" is taken off and the registry removes the namespace (and refuses to while anything is
in it). Until then a condition says what is left. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import kinds
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import readiness
from holdfast.control.controllers.decisions import (
    NOTHING,
    WRITES_MAX,
    Decision,
    Key,
    Order,
    Trigger,
    View,
    own_key,
)
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update

RESOURCE = "namespaces"
FINALIZER = "kubernetes"
REMAINING = "NamespaceContentRemaining"


class Namespaces:
    """The controller. Its interval joins the many deletions of one namespace."""

    name = "namespace-controller"
    interval_s = 0.1

    def __init__(self) -> None:
        self._contents = tuple(
            kind.resource for kind in kinds.all_kinds() if kind.built and kind.namespaced
        )
        self.triggers: Mapping[str, Trigger] = {
            RESOURCE: own_key,
            **dict.fromkeys(self._contents, _content_changed),
        }

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """The next step of a namespace's end."""
        entry = view.get(RESOURCE, "", key.name)
        if entry is None or not entry.message.metadata.HasField("deletionTimestamp"):
            return NOTHING
        left: dict[str, int] = {}
        doomed: list[Entry] = []
        for resource in self._contents:
            found = view.list(resource, key.name)
            if found:
                left[resource] = len(found)
            doomed += [each for each in found if not _is_going(each)]
        if not left:
            return Decision(_finalized(entry))
        orders = [_deletion(each) for each in doomed[: WRITES_MAX - 1]]
        told = _told(entry.message, left, now)
        again_at = now if len(doomed) >= WRITES_MAX else None
        return Decision([*orders, *told], again_at)


def _content_changed(view: View, update: Update) -> Iterable[Key]:
    """A namespace that is going looks again at whatever comes, changes or goes in it."""
    entry = update.new or update.old
    namespace = entry.key.namespace if entry else ""
    found = view.get(RESOURCE, "", namespace)
    if found is None or not found.message.metadata.HasField("deletionTimestamp"):
        return ()
    return (Key("", namespace),)


def _is_going(entry: Entry) -> bool:
    return bool(entry.message.metadata.HasField("deletionTimestamp"))


def _deletion(entry: Entry) -> Order:
    return Order(Intent(Verb.DELETE, *entry.key, uid=entry.message.metadata.uid))


def _finalized(entry: Entry) -> list[Order]:
    spec = entry.message.spec
    message = core.Namespace(spec=spec)
    message.spec.finalizers[:] = [f for f in spec.finalizers if f != FINALIZER]
    if len(message.spec.finalizers) == len(spec.finalizers):
        return []
    intent = Intent(Verb.UPDATE, *entry.key, message, "finalize", expect_revision=entry.revision)
    return [Order(intent)]


def _told(namespace: core.Namespace, left: Mapping[str, int], now: float) -> list[Order]:
    """The condition that names what is left, when that is news."""
    message = core.Namespace(status=namespace.status)
    parts = ", ".join(f"{resource} has {count} instances" for resource, count in left.items())
    changed = readiness.set_condition(
        message.status.conditions,
        REMAINING,
        "True",
        now,
        "SomeResourcesRemain",
        f"Some resources are remaining: {parts}",
    )
    meta = namespace.metadata
    intent = Intent(Verb.UPDATE, RESOURCE, "", meta.name, message, "status", uid=meta.uid)
    return [Order(intent)] if changed else []
