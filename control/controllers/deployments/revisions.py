"""Which ReplicaSet belongs to which template of a Deployment, and its revision number.

The set of the present template is the one whose template is equal without the hash label; the
annotations that carry revisions and sizes are Kubernetes' own, so `rollout history` and `undo`
work on either. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from holdfast.api import codec, kinds
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import owners, templates

if TYPE_CHECKING:
    from holdfast.control.cache import Entry
    from holdfast.control.controllers.deployments.sizes import Wish

RESOURCE = "deployments.apps"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OWN = (LAST_APPLIED, REVISION, HISTORY, DESIRED, MAXIMUM)
"""Annotations that a set does not take over from its Deployment."""
HISTORY_CHARACTERS_MAX = 2000


def newest(deployment: apps.Deployment, sets: Sequence[Entry]) -> Entry | None:
    """The set of the present template: the oldest, should there be several."""
    wanted = _plain(deployment.spec.template)
    for entry in sorted(sets, key=age):
        if _plain(entry.message.spec.template) == wanted:
            return entry
    return None


def age(entry: Entry) -> tuple[int, str]:
    """Sort key: by creation, then by name."""
    return (entry.message.metadata.creationTimestamp.seconds, entry.key.name)


def revision(message: apps.ReplicaSet | apps.Deployment) -> int:
    """The revision an object carries, 0 when it carries none."""
    return number(message, REVISION)


def number(message: apps.ReplicaSet | apps.Deployment, annotation: str) -> int:
    """An annotation as a number, 0 when it is none."""
    text = message.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def next_revision(olds: Iterable[Entry]) -> int:
    """What the newest set must be numbered: one above all the old ones."""
    return 1 + max((revision(old.message) for old in olds), default=0)


def name_of(deployment: apps.Deployment) -> str:
    """The name of the present template's set."""
    return f"{deployment.metadata.name}-{_hash(deployment)}"


def build(deployment: apps.Deployment, replicas: int, wish: Wish, number: int) -> apps.ReplicaSet:
    """The set of the present template, to be created."""
    digest = _hash(deployment)
    made = apps.ReplicaSet()
    made.metadata.name = name_of(deployment)
    made.metadata.namespace = deployment.metadata.namespace
    made.spec.replicas = replicas
    made.spec.minReadySeconds = deployment.spec.minReadySeconds
    made.spec.selector.CopyFrom(deployment.spec.selector)
    made.spec.selector.matchLabels[templates.HASH_LABEL] = digest
    made.spec.template.CopyFrom(deployment.spec.template)
    made.spec.template.metadata.labels[templates.HASH_LABEL] = digest
    made.metadata.labels.update(dict(made.spec.template.metadata.labels))
    kind = kinds.by_resource(RESOURCE)
    made.metadata.ownerReferences.append(owners.controller_reference(kind, deployment))
    annotate(made, deployment, wish, number)
    return made


def annotate(made: apps.ReplicaSet, deployment: apps.Deployment, wish: Wish, number: int) -> None:
    """Write the Deployment's annotations, its size and a revision into a set, in place. An older
    revision of the set is kept in its history (it was rolled back to)."""
    annotations = made.metadata.annotations
    for label, value in deployment.metadata.annotations.items():
        if label not in OWN:
            annotations[label] = value
    before = revision(made)
    if before < number:
        if before:
            past = annotations.get(HISTORY, "")
            kept = f"{past},{before}" if past else str(before)
            annotations[HISTORY] = kept[-HISTORY_CHARACTERS_MAX:].lstrip(",")
        annotations[REVISION] = str(number)
    resize(made, wish)


def resize(made: apps.ReplicaSet, wish: Wish) -> None:
    """Note for which size of the Deployment the set was sized, in place."""
    made.metadata.annotations[DESIRED] = str(wish.replicas)
    made.metadata.annotations[MAXIMUM] = str(wish.pods_max)


def surplus(deployment: apps.Deployment, olds: Sequence[Entry]) -> list[Entry]:
    """The old sets beyond spec.revisionHistoryLimit that may go, lowest revision first."""
    idle = [old for old in olds if _is_idle(old.message)]
    excess = len(idle) - deployment.spec.revisionHistoryLimit
    ordered = sorted(idle, key=lambda old: (revision(old.message), age(old)))
    return ordered[: max(0, excess)]


def _is_idle(message: apps.ReplicaSet) -> bool:
    return not (
        message.spec.replicas
        or message.status.replicas
        or message.metadata.HasField("deletionTimestamp")
        or message.metadata.generation > message.status.observedGeneration
    )


def _hash(deployment: apps.Deployment) -> str:
    template = core.PodTemplateSpec()
    template.CopyFrom(deployment.spec.template)
    codec.normalize(template)
    return templates.hash(template, deployment.status.collisionCount)


def _plain(template: core.PodTemplateSpec) -> bytes:
    """The template's deterministic bytes without the hash label."""
    plain = core.PodTemplateSpec()
    plain.CopyFrom(template)
    plain.metadata.labels.pop(templates.HASH_LABEL, None)
    codec.normalize(plain)
    return plain.SerializeToString(deterministic=True)
