"""The garbage collector: what is owned goes with its owner, or stays when that was asked for.

Kubernetes' three ways. Background: an owner is gone, so what only it owned is deleted. Foreground
(finalizer "foregroundDeletion"): the owner waits until what blocks it is gone. Orphan (finalizer
"orphan"): the references to the owner are taken out, and what it owned stays. An owner is looked
for by name and must have the uid of the reference. Dependents are found by the cache's index of
controlling owners, and by a small index here of the other references. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from holdfast.api import kinds
from holdfast.api.errors import ApiError
from holdfast.control.controllers.decisions import (
    NOTHING,
    WRITES_MAX,
    Decision,
    Key,
    Order,
    Trigger,
    View,
)
from holdfast.control.registry.intents import Intent, Propagation, Verb

if TYPE_CHECKING:
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.control.cache import Entry, Update
    from holdfast.control.store.commands import Key as Place

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
GONE = "gone"
"""Key.resource of an owner that is not there any more: its uid says which."""


class Garbage:
    """The controller. A key is an object to look at, or (GONE) an owner whose dependents are."""

    name = "garbage-collector"
    interval_s = 0.0

    def __init__(self) -> None:
        self._resources = tuple(kind.resource for kind in kinds.all_kinds() if kind.built)
        self._others: dict[str, dict[Place, None]] = {}  # owner's uid → who refers to it besides
        self.triggers: Mapping[str, Trigger] = dict.fromkeys(self._resources, self._changed)

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """Delete or disown what a key asks for."""
        if key.resource == GONE:
            return self._sweep(view, key.uid, now)
        entry = view.get(key.resource, key.namespace, key.name)
        if entry is None:
            return NOTHING
        finalizers = entry.message.metadata.finalizers
        if entry.message.metadata.HasField("deletionTimestamp"):
            if ORPHAN in finalizers:
                return self._disown(view, entry, now)
            if FOREGROUND in finalizers:
                return self._wait_for_dependents(view, entry, now)
        orders = _judge(view, entry)
        return Decision(orders)

    def _sweep(self, view: View, uid: str, now: float) -> Decision:
        """An owner is gone: look at everything that it owned."""
        orders: list[Order] = []
        for dependent in self._dependents(view, uid):
            if not dependent.message.metadata.HasField("deletionTimestamp"):
                orders += _judge(view, dependent)
            if len(orders) >= WRITES_MAX:
                return Decision(orders, now)
        return Decision(orders)

    def _disown(self, view: View, owner: Entry, now: float) -> Decision:
        uid = owner.message.metadata.uid
        orders: list[Order] = []
        for dependent in self._dependents(view, uid):
            orders.append(_without_owners(dependent, {uid: None}))
            if len(orders) >= WRITES_MAX:
                return Decision(orders, now)
        if orders:
            return Decision(orders, now)
        return Decision([_without_finalizer(owner, ORPHAN)])

    def _wait_for_dependents(self, view: View, owner: Entry, now: float) -> Decision:
        uid = owner.message.metadata.uid
        orders: list[Order] = []
        blocked = False
        for dependent in self._dependents(view, uid):
            blocked = blocked or _blocks(dependent, uid)
            if not dependent.message.metadata.HasField("deletionTimestamp"):
                orders += _judge(view, dependent)
            if len(orders) >= WRITES_MAX:
                return Decision(orders, now)
        if not blocked:
            orders.append(_without_finalizer(owner, FOREGROUND))
        return Decision(orders)

    def _dependents(self, view: View, uid: str) -> Iterator[Entry]:
        for resource in self._resources:
            yield from view.by_index(resource, "owner", uid)
        for place in tuple(self._others.get(uid, ())):
            entry = view.get(*place)
            if entry is not None:
                yield entry

    def _changed(self, view: View, update: Update) -> Iterable[Key]:
        if update.new is None:
            self._index(update)
            return self._gone(view, update.old) if update.old else ()
        meta = update.new.message.metadata
        if update.old is None and not meta.ownerReferences and not meta.finalizers:
            return ()
        if meta.HasField("deletionTimestamp") and any(
            finalizer in (FOREGROUND, ORPHAN) for finalizer in meta.finalizers
        ):
            self._index(update)
            return (_key(update.new),)
        old = None if update.old is None else update.old.message.metadata
        if old is not None and old.ownerReferences == meta.ownerReferences:
            return ()
        self._index(update)
        if all(_solid(view, update.new, reference) for reference in meta.ownerReferences):
            return ()
        return (_key(update.new),)

    def _gone(self, view: View, old: Entry) -> Iterable[Key]:
        """What an object owned is swept; owners that wait for it look again."""
        uid = old.message.metadata.uid
        if next(self._dependents(view, uid), None) is not None:
            yield Key("", "", uid, GONE)
        for reference in old.message.metadata.ownerReferences:
            owner = _owner(view, old, reference)
            if owner is not None and owner.message.metadata.HasField("deletionTimestamp"):
                yield _key(owner)

    def _index(self, update: Update) -> None:
        """Keep the references that do not control (the others are in the cache's index)."""
        for entry, present in ((update.old, False), (update.new, True)):
            for reference in entry.message.metadata.ownerReferences if entry else ():
                if reference.controller or entry is None:
                    continue
                places = self._others.setdefault(reference.uid, {})
                if present:
                    places[entry.key] = None
                else:
                    places.pop(entry.key, None)
                if not places:
                    del self._others[reference.uid]


def _key(entry: Entry) -> Key:
    return Key(entry.key.namespace, entry.key.name, resource=entry.key.resource)


def _owner(view: View, entry: Entry, reference: meta.OwnerReference) -> Entry | None:
    """The owner that a reference means; None when that object is gone. An owner stands in the
    same namespace or in none."""
    try:
        kind = kinds.by_kind(reference.apiVersion, reference.kind)
    except ApiError:
        return None
    namespace = entry.key.namespace if kind.namespaced else ""
    owner = view.get(kind.resource, namespace, reference.name)
    if owner is None or owner.message.metadata.uid != reference.uid:
        return None
    return owner


def _known(reference: meta.OwnerReference) -> bool:
    """Whether the owner's kind is one we could look for: what an unknown one owns is kept."""
    try:
        return kinds.by_kind(reference.apiVersion, reference.kind).built
    except ApiError:
        return False


def _solid(view: View, entry: Entry, reference: meta.OwnerReference) -> bool:
    """Whether the owner is there and stays."""
    if not _known(reference):
        return True
    owner = _owner(view, entry, reference)
    return owner is not None and not _waits(owner)


def _waits(owner: Entry) -> bool:
    """Whether the owner is being deleted in the foreground."""
    found = owner.message.metadata
    return found.HasField("deletionTimestamp") and FOREGROUND in found.finalizers


def _judge(view: View, entry: Entry) -> list[Order]:
    """Delete an object that nobody owns any more; one with other owners loses the old ones."""
    found = entry.message.metadata
    if not found.ownerReferences or found.HasField("deletionTimestamp"):
        return []
    kept = gone = 0
    waited_for = False
    lost: dict[str, None] = {}
    for reference in found.ownerReferences:
        if _solid(view, entry, reference):
            kept += 1
            continue
        owner = _owner(view, entry, reference)
        gone += owner is None
        waited_for = waited_for or owner is not None
        lost[reference.uid] = None
    if not lost:
        return []
    if kept:
        return [_without_owners(entry, lost)]
    if waited_for or FOREGROUND in found.finalizers:
        propagation = Propagation.FOREGROUND
    else:
        propagation = Propagation.ORPHAN if ORPHAN in found.finalizers else Propagation.BACKGROUND
    if propagation is Propagation.FOREGROUND and entry.key.resource == "pods":
        propagation = Propagation.BACKGROUND  # a pod owns nothing that it could wait for
    return [Order(Intent(Verb.DELETE, *entry.key, uid=found.uid, propagation=propagation))]


def _blocks(dependent: Entry, uid: str) -> bool:
    return any(
        reference.uid == uid and reference.blockOwnerDeletion
        for reference in dependent.message.metadata.ownerReferences
    )


def _without_owners(entry: Entry, uids: Mapping[str, None]) -> Order:
    copy = _copy(entry)
    kept = [each for each in copy.metadata.ownerReferences if each.uid not in uids]
    del copy.metadata.ownerReferences[:]
    copy.metadata.ownerReferences.extend(kept)
    return Order(Intent(Verb.UPDATE, *entry.key, message=copy, expect_revision=entry.revision))


def _without_finalizer(entry: Entry, finalizer: str) -> Order:
    copy = _copy(entry)
    copy.metadata.finalizers[:] = [each for each in copy.metadata.finalizers if each != finalizer]
    return Order(Intent(Verb.UPDATE, *entry.key, message=copy, expect_revision=entry.revision))


def _copy(entry: Entry) -> Any:
    copy = type(entry.message)()
    copy.CopyFrom(entry.message)
    return copy
