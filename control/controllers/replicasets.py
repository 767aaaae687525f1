"""The ReplicaSet controller: as many pods of one template as asked for.

Creates and deletes at most WRITES_MAX pods a decision, adopts pods that match the selector and
belong to nobody, lets go of those that match no longer, and keeps the status. How many pods there
are comes from the tally, never from a scan. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api import kinds, selectors
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import events, owners
from holdfast.control.controllers import victims
from holdfast.control.controllers.decisions import (
    NOTHING,
    WRITES_MAX,
    Decision,
    Key,
    Order,
    Trigger,
    View,
    own_key,
    set_count,
)
from holdfast.control.controllers.tallies import Group, Place, Standing, Tally
from holdfast.control.notes import Note
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Entry, Update

RESOURCE = "replicasets.apps"
KIND = "ReplicaSet"
INTERVAL_S = 0.025
SOURCE = events.Source("replicaset-controller")
NAME_PREFIX_MAX = 57
"""Of the set's name in its pods' names: what is left of a label beside "-" and the suffix."""


class Replicas(NamedTuple):
    """The pods of one set, counted. next_available_at: when one more becomes available by time
    alone, Unix seconds."""

    active: int
    labelled: int
    ready: int
    available: int
    terminating: int
    next_available_at: float | None


class ReplicaSets:
    """The controller. Its tally is level with every update the triggers were told."""

    name = "replicaset-controller"
    interval_s = INTERVAL_S

    def __init__(self) -> None:
        self._tally = Tally(KIND)
        self.triggers: Mapping[str, Trigger] = {RESOURCE: own_key, "pods": self._pod_changed}

    def reconcile(self, view: View, key: Key, now: float) -> Decision:
        """What to write so that the set has its replicas and says so."""
        entry = view.get(RESOURCE, key.namespace, key.name)
        if entry is None:
            return NOTHING
        wanted: apps.ReplicaSet = entry.message
        groups = self._tally.of(wanted.metadata.uid)
        selector = selectors.from_message(wanted.spec.selector)
        counted = count(groups, wanted, now)
        orders: list[Order] = []
        more = False
        if not wanted.metadata.HasField("deletionTimestamp"):
            orders += self._belonging(view, wanted, selector)
            if not orders:  # adopted and released pods count from the next look on
                orders, more = self._difference(view, wanted, groups, counted)
        status = _status(wanted, counted)
        if status is not None:
            orders.append(Order(status))
        again_at = now if more else counted.next_available_at
        return Decision(orders, again_at)

    def _pod_changed(self, view: View, update: Update) -> Iterable[Key]:
        before, after = self._tally.count(update)
        entry = update.new or update.old
        if before == after or entry is None:
            return ()
        if update.new is not None and after is not None and not after.name:
            return (*_owner_key(entry, before), *self._adopters(view, entry))
        return dict.fromkeys((*_owner_key(entry, before), *_owner_key(entry, after)))

    def _adopters(self, view: View, entry: Entry) -> list[Key]:
        """The sets whose selector matches a pod that nobody controls."""
        labels = entry.message.metadata.labels
        namespace = entry.key.namespace
        return [
            Key(namespace, other.key.name)
            for other in view.list(RESOURCE, namespace)
            if selectors.from_message(other.message.spec.selector).matches(labels)
        ]

    def _belonging(
        self, view: View, wanted: apps.ReplicaSet, selector: selectors.LabelSelector
    ) -> list[Order]:
        """Adopt orphans that match the selector, release own pods that do not."""
        orphans = self._tally.orphans(wanted.metadata.namespace)
        orders = [
            Order(_adopted(entry, wanted)) for entry in _pods(view, wanted, orphans, selector)
        ]
        strangers = {
            group: names
            for group, names in self._tally.of(wanted.metadata.uid).items()
            if group.active and not selector.matches(dict(group.labels))
        }
        orders += [
            Order(_released(entry, wanted.metadata.uid))
            for entry in _pods(view, wanted, strangers, None)
        ]
        return orders[:WRITES_MAX]

    def _difference(
        self,
        view: View,
        wanted: apps.ReplicaSet,
        groups: Mapping[Group, Mapping[str, None]],
        counted: Replicas,
    ) -> tuple[list[Order], bool]:
        """The creations or deletions of one step, and whether more of them are left."""
        missing = wanted.spec.replicas - counted.active
        step = min(abs(missing), WRITES_MAX - 1)  # and one for the status
        if missing > 0:
            return _creations(wanted, step), step < missing
        if missing == 0:
            return [], False
        namespace = wanted.metadata.namespace
        chosen = victims.choose(groups, step, _pod_getter(view, namespace))
        return [_deletion(wanted, view, name) for name in chosen], step < -missing


def _owner_key(entry: Entry, place: Place | None) -> tuple[Key, ...]:
    return (Key(entry.key.namespace, place.name),) if place and place.name else ()


def count(
    groups: Mapping[Group, Mapping[str, None]], wanted: apps.ReplicaSet, now: float
) -> Replicas:
    """Sum the groups up. A pod is available when ready for spec.minReadySeconds."""
    active = labelled = ready = available = terminating = 0
    next_at: float | None = None
    template = wanted.spec.template.metadata.labels.items()
    patience_s = wanted.spec.minReadySeconds
    for group, names in groups.items():
        if group.standing is Standing.TERMINATING:
            terminating += len(names)
        if not group.active:
            continue
        active += len(names)
        labels = dict(group.labels)
        if all(labels.get(label) == value for label, value in template):
            labelled += len(names)
        if group.standing is Standing.READY:
            ready += len(names)
            available_at = group.ready_since + patience_s
            if not patience_s or available_at <= now:
                available += len(names)
            else:
                next_at = available_at if next_at is None else min(next_at, available_at)
    return Replicas(active, labelled, ready, available, terminating, next_at)


def _status(wanted: apps.ReplicaSet, counted: Replicas) -> Intent | None:
    """The write of the status, None when it is right."""
    status = apps.ReplicaSetStatus()
    status.CopyFrom(wanted.status)
    set_count(status, "replicas", counted.active)
    status.observedGeneration = wanted.metadata.generation
    set_count(status, "fullyLabeledReplicas", counted.labelled)
    set_count(status, "readyReplicas", counted.ready)
    set_count(status, "availableReplicas", counted.available)
    set_count(status, "terminatingReplicas", counted.terminating)
    if wanted.HasField("status") and status == wanted.status:
        return None
    meta = wanted.metadata
    message = apps.ReplicaSet(status=status)
    return Intent(Verb.UPDATE, RESOURCE, meta.namespace, meta.name, message, "status", uid=meta.uid)


def _creations(wanted: apps.ReplicaSet, number: int) -> list[Order]:
    """Creations of equal pods: they share one message, which the registry copies."""
    meta = wanted.metadata
    pod = core.Pod(spec=wanted.spec.template.spec)
    pod.metadata.CopyFrom(wanted.spec.template.metadata)
    pod.metadata.ClearField("name")
    pod.metadata.namespace = meta.namespace
    pod.metadata.generateName = meta.name[:NAME_PREFIX_MAX] + "-"
    kind = kinds.by_resource(RESOURCE)
    pod.metadata.ownerReferences.append(owners.controller_reference(kind, wanted))
    order = Order(
        Intent(Verb.CREATE, "pods", meta.namespace, "", pod),
        _note(wanted, events.Severity.NORMAL, "SuccessfulCreate", "Created pod: {name}"),
        _note(wanted, events.Severity.WARNING, "FailedCreate", "Error creating: {error}"),
    )
    return [order] * number


def _deletion(wanted: apps.ReplicaSet, view: View, name: str) -> Order:
    namespace = wanted.metadata.namespace
    entry = view.get("pods", namespace, name)
    uid = entry.message.metadata.uid if entry else ""
    return Order(
        Intent(Verb.DELETE, "pods", namespace, name, uid=uid),
        _note(wanted, events.Severity.NORMAL, "SuccessfulDelete", "Deleted pod: {name}"),
        _note(wanted, events.Severity.WARNING, "FailedDelete", "Error deleting: {error}"),
    )


def _adopted(entry: Entry, wanted: apps.ReplicaSet) -> Intent:
    kind = kinds.by_resource(RESOURCE)
    reference = owners.controller_reference(kind, wanted)
    return _rewritten(entry, lambda meta: meta.ownerReferences.append(reference))


def _released(entry: Entry, uid: str) -> Intent:
    def release(meta: Any) -> None:
        kept = [owner for owner in meta.ownerReferences if owner.uid != uid]
        del meta.ownerReferences[:]
        meta.ownerReferences.extend(kept)

    return _rewritten(entry, release)


def _rewritten(entry: Entry, change: Callable[[Any], None]) -> Intent:
    pod = core.Pod()
    pod.CopyFrom(entry.message)
    change(pod.metadata)
    return Intent(Verb.UPDATE, *entry.key, message=pod, expect_revision=entry.revision)


def _pods(
    view: View,
    wanted: apps.ReplicaSet,
    groups: Mapping[Group, Mapping[str, None]],
    selector: selectors.LabelSelector | None,
) -> Iterator[Entry]:
    """The pods of groups, of those the selector matches when there is one."""
    for group, names in groups.items():
        if selector is None or selector.matches(dict(group.labels)):
            for name in names:
                entry = view.get("pods", wanted.metadata.namespace, name)
                if entry is not None:
                    yield entry


def _pod_getter(view: View, namespace: str) -> Callable[[str], core.Pod | None]:
    def pod_of(name: str) -> core.Pod | None:
        entry = view.get("pods", namespace, name)
        return entry.message if entry else None

    return pod_of


def _note(wanted: apps.ReplicaSet, severity: events.Severity, reason: str, message: str) -> Note:
    about = events.reference(kinds.by_resource(RESOURCE), wanted)
    return Note(about, events.News(severity, reason, message), SOURCE)
