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
    from holdfast.control.cache import Update


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


class _Place(NamedTuple):
    """owner: the uid of the controlling owner, or what `_nobody_in` says of an orphan."""

    owner: str
    group: Group


class Tally:
    """The pods of every owner of one kind, and the orphans."""

    def __init__(self, owner_kind: str) -> None:
        self._kind = owner_kind
        self._groups: dict[str, dict[Group, dict[str, None]]] = {}

    def of(self, uid: str) -> Mapping[Group, Mapping[str, None]]:
        """The groups of an owner, each with the names of its pods, oldest in the group first."""
        return self._groups.get(uid, EMPTY)

    def orphans(self, namespace: str) -> Mapping[Group, Mapping[str, None]]:
        """The active pods of a namespace that nothing controls, told apart by labels alone."""
        return self._groups.get(_nobody_in(namespace), EMPTY)

    def count(self, update: Update) -> None:
        """Take one change of a pod into account. Each change once, in order."""
        before = self._place(update.old.message) if update.old else None
        after = self._place(update.new.message) if update.new else None
        entry = update.new or update.old
        if before == after or entry is None:
            return
        if before is not None:
            self._leave(before, entry.key.name)
        if after is not None:
            self._groups.setdefault(after.owner, {}).setdefault(after.group, {})[entry.key.name] = (
                None
            )

    def _place(self, pod: core.Pod) -> _Place | None:
        meta = pod.metadata
        owner = owners.controller_of(meta)
        labels = tuple(sorted(meta.labels.items()))
        if owner is None:
            if not readiness.pod_active(pod):
                return None
            return _Place(_nobody_in(meta.namespace), Group(Standing.PENDING, 0, labels))
        if owner.kind != self._kind:
            return None
        now = standing(pod)
        since = ready_since(pod) if now is Standing.READY else 0
        return _Place(owner.uid, Group(now, since, labels))

    def _leave(self, place: _Place, name: str) -> None:
        groups = self._groups.get(place.owner, {})
        members = groups.get(place.group, {})
        members.pop(name, None)
        if not members:
            groups.pop(place.group, None)
        if not groups:
            self._groups.pop(place.owner, None)


def _nobody_in(namespace: str) -> str:
    """The key of a namespace's orphans: no uid starts with a slash."""
    return "/" + namespace


def standing(pod: core.Pod) -> Standing:
    """How far a pod is."""
    if readiness.pod_finished(pod):
        return Standing.FINISHED
    if pod.metadata.HasField("deletionTimestamp"):
        return Standing.TERMINATING
    if not pod.spec.nodeName:
        return Standing.UNASSIGNED
    if pod.status.phase != "Running":
        return Standing.PENDING
    return Standing.READY if ready_since(pod) >= 0 else Standing.UNREADY


def ready_since(pod: core.Pod) -> int:
    """Since when the pod's Ready condition is True, in Unix seconds; -1 when it is not."""
    ready = readiness.condition(pod.status.conditions, "Ready")
    return ready.lastTransitionTime.seconds if ready and ready.status == "True" else -1
