"""The pages of deployments and replica sets. Pure module."""

from __future__ import annotations

from collections import Counter
from typing import Any

from holdfast.api.kinds import cells
from holdfast.api.objects import intorstring
from holdfast.cli import rollouts
from holdfast.cli.describing import parts, pods
from holdfast.cli.describing.layout import Fields
from holdfast.cli.describing.related import Related

PHASES = ("Running", "Pending", "Succeeded", "Failed")


def deployment(found: Any, related: Related, now: float) -> Fields:
    """A Deployment with its new and its old ReplicaSets."""
    spec, status = found.spec, found.status
    return [
        *parts.head(found),
        ("CreationTimestamp", parts.time(found.metadata.creationTimestamp)),
        *parts.marks(found),
        ("Selector", cells.selector(spec.selector)),
        (
            "Replicas",
            f"{spec.replicas} desired | {status.updatedReplicas} updated | "
            f"{status.replicas} total | {status.availableReplicas} available | "
            f"{status.unavailableReplicas} unavailable",
        ),
        ("StrategyType", spec.strategy.type),
        ("MinReadySeconds", str(spec.minReadySeconds)),
        *_strategy(spec.strategy),
        ("Paused", parts.flag(spec.paused)),
        ("Pod Template", pods.template(spec.template)),
        ("Conditions", parts.conditions(status.conditions)),
        *_replica_sets(found, related),
        ("Events", parts.events(related.events, now)),
    ]


def _strategy(strategy: Any) -> Fields:
    if not strategy.HasField("rollingUpdate"):
        return []
    rolling = strategy.rollingUpdate
    unavailable = intorstring.text(rolling.maxUnavailable)
    surge = intorstring.text(rolling.maxSurge)
    return [("RollingUpdateStrategy", f"{unavailable} max unavailable, {surge} max surge")]


def _replica_sets(found: Any, related: Related) -> Fields:
    """The newest revision is the new one; old ones are shown while they have pods."""
    known = [item for _revision, item in rollouts.revisions(found, related.replica_sets)]
    old = [item for item in known[:-1] if item.spec.replicas or item.status.replicas]
    return [
        ("OldReplicaSets", [_replica_set(item) for item in old]),
        ("NewReplicaSet", [_replica_set(item) for item in known[-1:]]),
    ]


def _replica_set(item: Any) -> str:
    return f"{item.metadata.name} ({item.status.replicas}/{item.spec.replicas} replicas created)"


def replica_set(found: Any, related: Related, now: float) -> Fields:
    """A ReplicaSet with its pods counted by phase."""
    phases = Counter(pod.status.phase for pod in related.pods)
    return [
        *parts.head(found),
        ("Selector", cells.selector(found.spec.selector)),
        *parts.marks(found),
        *parts.controlled_by(found),
        ("Replicas", f"{found.status.replicas} current / {found.spec.replicas} desired"),
        ("Pods Status", " / ".join(f"{phases[phase]} {phase}" for phase in PHASES)),
        ("Pod Template", pods.template(found.spec.template)),
        ("Conditions", parts.conditions(found.status.conditions)),
        ("Events", parts.events(related.events, now)),
    ]
