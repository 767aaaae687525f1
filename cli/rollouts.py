"""Where a Deployment's rollout stands and what its revisions are, as kubectl judges it.

Pure module: objects in, sentences and revisions out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.errors import ApiError, Reason

if TYPE_CHECKING:
    from holdfast.api.apps.v1 import apps_pb2 as apps

REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"


class Standing(NamedTuple):
    """A sentence for the person who waits, and whether the rollout has ended well."""

    text: str
    done: bool


def standing(deployment: apps.Deployment) -> Standing:
    """How far the rollout is. Raises ApiError when its progress deadline has passed."""
    name, spec, status = deployment.metadata.name, deployment.spec, deployment.status
    if status.observedGeneration < deployment.metadata.generation:
        return Standing("Waiting for deployment spec update to be observed...", False)
    for condition in status.conditions:
        if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded":
            message = f'deployment "{name}" exceeded its progress deadline: {condition.message}'
            raise ApiError(Reason.TIMEOUT, message)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    wanted = spec.replicas
    if status.updatedReplicas < wanted:
        new = f"{status.updatedReplicas} out of {wanted} new replicas have been updated..."
        return Standing(waiting + new, False)
    if status.replicas > status.updatedReplicas:
        old = f"{status.replicas - status.updatedReplicas} old replicas are pending termination..."
        return Standing(waiting + old, False)
    if status.availableReplicas < status.updatedReplicas:
        available = f"{status.availableReplicas} of {status.updatedReplicas} updated replicas"
        return Standing(f"{waiting}{available} are available...", False)
    return Standing(f'deployment "{name}" successfully rolled out', True)


def revision_of(replica_set: apps.ReplicaSet) -> int:
    """The revision annotation; 0 when there is none."""
    text = replica_set.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdigit() else 0


def revisions(
    deployment: apps.Deployment, replica_sets: Iterable[apps.ReplicaSet]
) -> list[tuple[int, apps.ReplicaSet]]:
    """The Deployment's ReplicaSets by revision, oldest first."""
    uid = deployment.metadata.uid
    owned = [
        replica_set
        for replica_set in replica_sets
        if any(o.controller and o.uid == uid for o in replica_set.metadata.ownerReferences)
    ]
    return sorted(((revision_of(rs), rs) for rs in owned), key=lambda pair: pair[0])


def undo_target(
    deployment: apps.Deployment, found: list[tuple[int, apps.ReplicaSet]], wanted: int
) -> apps.ReplicaSet:
    """The ReplicaSet whose template `rollout undo` brings back. wanted 0: the one before.

    Raises ApiError when there is none.
    """
    name = deployment.metadata.name
    if wanted:
        for number, replica_set in found:
            if number == wanted:
                return replica_set
        known = ", ".join(str(number) for number, _ in found) or "none"
        message = f'revision {wanted} of deployment "{name}" is not kept; there are: {known}'
        raise ApiError(Reason.NOT_FOUND, message)
    if len(found) < 2:
        message = f'deployment "{name}" has no earlier revision to go back to'
        raise ApiError(Reason.NOT_FOUND, message)
    return found[-2][1]
