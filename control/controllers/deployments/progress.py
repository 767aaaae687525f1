"""What a Deployment's status says: counts, conditions, and whether the rollout is stuck.

Available: enough pods are there. Progressing: the rollout moves (each step restarts its deadline,
spec.progressDeadlineSeconds), is finished, or has timed out; lastUpdateTime of that condition is
the time of the last step. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.objects import readiness
from holdfast.control.controllers.decisions import set_count

if TYPE_CHECKING:
    from holdfast.control.cache import Entry
    from holdfast.control.controllers.deployments.sizes import Wish

NO_DEADLINE = 2**31 - 1
CREATED, FOUND = "NewReplicaSetCreated", "FoundNewReplicaSet"
UPDATED, FINISHED = "ReplicaSetUpdated", "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


class Progress(NamedTuple):
    """The status as it should be, when it changes by time alone, whether the rollout is over."""

    status: apps.DeploymentStatus
    again_at: float | None
    complete: bool


def judge(
    deployment: apps.Deployment, new: Entry | None, olds: Sequence[Entry], wish: Wish, now: float
) -> Progress:
    """The status that follows from the sets. now: Unix seconds."""
    status = _counted(deployment, new, olds)
    enough = status.availableReplicas >= wish.available_min
    readiness.set_condition(
        status.conditions,
        "Available",
        "True" if enough else "False",
        now,
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    )
    complete = (
        status.updatedReplicas == status.replicas == status.availableReplicas == wish.replicas
        and not any(old.message.spec.replicas for old in olds)
    )
    again_at = _progressing(deployment, status, _subject(deployment, new), complete, now)
    return Progress(status, again_at, complete)


def _counted(
    deployment: apps.Deployment, new: Entry | None, olds: Sequence[Entry]
) -> apps.DeploymentStatus:
    every = [*olds, *([new] if new else [])]
    asked = sum(each.message.spec.replicas for each in every)
    available = sum(each.message.status.availableReplicas for each in every)
    status = apps.DeploymentStatus()
    status.CopyFrom(deployment.status)
    status.observedGeneration = deployment.metadata.generation
    set_count(status, "replicas", sum(each.message.status.replicas for each in every))
    set_count(status, "updatedReplicas", new.message.status.replicas if new else 0)
    set_count(status, "readyReplicas", sum(each.message.status.readyReplicas for each in every))
    set_count(status, "availableReplicas", available)
    set_count(status, "unavailableReplicas", max(0, asked - available))
    leaving = sum(each.message.status.terminatingReplicas for each in every)
    set_count(status, "terminatingReplicas", leaving)
    return status


def _subject(deployment: apps.Deployment, new: Entry | None) -> str:
    if new is None:
        return f'Deployment "{deployment.metadata.name}"'
    return f'ReplicaSet "{new.key.name}"'


def _progressing(
    deployment: apps.Deployment,
    status: apps.DeploymentStatus,
    subject: str,
    complete: bool,
    now: float,
) -> float | None:
    """Set the condition Progressing; returns the deadline that runs, if one does."""
    spec = deployment.spec
    if not spec.HasField("progressDeadlineSeconds") or spec.progressDeadlineSeconds >= NO_DEADLINE:
        kept = [each for each in status.conditions if each.type != "Progressing"]
        del status.conditions[:]
        status.conditions.extend(kept)
        return None
    found = readiness.condition(status.conditions, "Progressing")
    if spec.paused:
        if found is None or found.reason not in (PAUSED, TIMED_OUT):
            _say(status, "Unknown", now, PAUSED, "Deployment is paused")
        return None
    if found is not None and found.reason == PAUSED:
        _say(status, "Unknown", now, RESUMED, "Deployment is resumed")
    elif (
        found is not None
        and found.reason == FINISHED
        and status.replicas == (status.updatedReplicas)
    ):
        return None  # a finished rollout stays finished while only pods come and go
    if complete:
        _say(status, "True", now, FINISHED, f"{subject} has successfully progressed.")
        return None
    found = readiness.condition(status.conditions, "Progressing")
    if found is None or _moved(deployment.status, status):
        _say(status, "True", now, UPDATED, f"{subject} is progressing.")
        return now + spec.progressDeadlineSeconds
    deadline = float(found.lastUpdateTime.seconds + spec.progressDeadlineSeconds)
    if found.reason == TIMED_OUT:
        return None
    if found.reason == FINISHED:
        _say(status, "True", now, UPDATED, f"{subject} is progressing.")
        return now + spec.progressDeadlineSeconds
    if deadline <= now:
        _say(status, "False", now, TIMED_OUT, f"{subject} has timed out progressing.")
        return None
    return deadline


def _moved(before: apps.DeploymentStatus, after: apps.DeploymentStatus) -> bool:
    """More updated, ready or available pods, or fewer old ones, than the last status said."""
    return (
        after.updatedReplicas > before.updatedReplicas
        or after.readyReplicas > before.readyReplicas
        or after.availableReplicas > before.availableReplicas
        or after.replicas - after.updatedReplicas < before.replicas - before.updatedReplicas
    )


def _say(status: apps.DeploymentStatus, truth: str, now: float, reason: str, message: str) -> None:
    """Write Progressing; a step that says the same again still restarts its deadline."""
    readiness.set_condition(status.conditions, "Progressing", truth, now, reason, message)
    readiness.condition(status.conditions, "Progressing").lastUpdateTime.seconds = int(now)
