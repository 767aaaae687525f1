"""Pods counted by the object that owns them, kept level by one small step an update.

A ReplicaSet of 50,000 pods hears of thousands of changes a second; counting its pods anew each
time would cost the loop. Here each pod stands in exactly one group of its owner: how far it is,
since which second it is ready, and its labels. A reconcile walks the few groups. Pods without a
controlling owner are kept by namespace, to be adopted. Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.objects import owners, readiness

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.control.cache import Entry, Update
    from holdfast.control.store.commands import Key


class Standing(IntEnum):
    """How far a pod is, in the order in which superfluous ones go."""

    UNASSIGNED = 0
    PENDING = 1
    UNREADY = 2
    READY = 3
    TERMINATING = 4
    FINISHED = 5


class Group(NamedTuple):
    """What pods counted together have in common. ready_since: Unix seconds, 0 unless READY."""

    standing: Standing
    ready_since: int
    labels: tuple[tuple[str, str], ...]

    @property
    def active(self) -> bool:
        """It counts as a replica."""
        return self.standing <= Standing.READY


EMPTY: Mapping[Group, Mapping[str, None]] = {}


class Place(NamedTuple):
    """Where a pod is counted. owner: the uid of the controlling owner, or what `_nobody_in` says
    of an orphan; name: the owner's, "" of an orphan."""

    owner: str
    name: str
    group: Group


class Tally:
    """The pods of every owner of one kind, and the orphans."""

    def __init__(self, owner_kind: str) -> None:
        self._kind = owner_kind
        self._groups: dict[str, dict[Group, dict[str, None]]] = {}
        self._places: dict[Key, Place] = {}

    def of(self, uid: str) -> Mapping[Group, Mapping[str, None]]:
        """The groups of an owner, each with the names of its pods, oldest in the group first."""
        return self._groups.get(uid, EMPTY)

    def orphans(self, namespace: str) -> Mapping[Group, Mapping[str, None]]:
        """The active pods of a namespace that nothing controls, told apart by labels alone."""
        return self._groups.get(_nobody_in(namespace), EMPTY)

    def count(self, update: Update) -> tuple[Place | None, Place | None]:
        """Take one change of a pod into account: each change once, in order. Returns where the
        pod was counted and where it is now."""
        if update.new is None:
            before = self._places.pop(update.old.key, None) if update.old else None
            if before is not None and update.old is not None:
                self._leave(before, update.old.key.name)
            return before, None
        key = update.new.key
        before = self._places.get(key)
        after = self._place(update.new, before)
        if before == after:
            return before, before
        if before is not None:
            self._leave(before, key.name)
        if after is None:
            del self._places[key]
        else:
            self._places[key] = after
            self._groups.setdefault(after.owner, {}).setdefault(after.group, {})[key.name] = None
        return before, after

    def _place(self, entry: Entry, before: Place | None) -> Place | None:
        """Where the pod belongs now. What it cannot have changed is taken from before."""
        uid, pod = entry.owner, entry.message
        if not uid:
            if not readiness.pod_active(pod):
                return None
            group = Group(Standing.PENDING, 0, _labels(pod))
            return Place(_nobody_in(entry.key.namespace), "", group)
        if before is not None and before.owner == uid:
            name = before.name
        else:
            owner = owners.controller_of(pod.metadata)
            if owner is None or owner.kind != self._kind:
                return None
            name = owner.name
        now = standing(pod)
        since = ready_since(pod) if now is Standing.READY else 0
        return Place(uid, name, Group(now, since, _labels(pod)))

    def _leave(self, place: Place, name: str) -> None:
        groups = self._groups[place.owner]
        members = groups[place.group]
        del members[name]
        if not members:
            del groups[place.group]
        if not groups:
            del self._groups[place.owner]


def _labels(pod: core.Pod) -> tuple[tuple[str, str], ...]:
    """A pod's labels, in order."""
    labels = pod.metadata.labels
    return tuple([(key, labels[key]) for key in sorted(labels)])  # its items() is far slower


def _nobody_in(namespace: str) -> str:
    """The key of a namespace's orphans: no uid starts with a slash."""
    return "/" + namespace


def standing(pod: core.Pod) -> Standing:
    """How far a pod is."""
    phase = pod.status.phase
    if phase in readiness.FINISHED:
        return Standing.FINISHED
    if pod.metadata.HasField("deletionTimestamp"):
        return Standing.TERMINATING
    if not pod.spec.nodeName:
        return Standing.UNASSIGNED
    if phase != "Running":
        return Standing.PENDING
    return Standing.READY if ready_since(pod) >= 0 else Standing.UNREADY


def ready_since(pod: core.Pod) -> int:
    """Since when the pod's Ready condition is True, in Unix seconds; -1 when it is not."""
    ready = readiness.condition(pod.status.conditions, "Ready")
    return ready.lastTransitionTime.seconds if ready and ready.status == "True" else -1
