"""UPDATEs of a part of an object: status, scale, a pod's binding, a namespace's finalizers.

Pure module. Called by `preparation`. Each takes the object as it is and changes only its part, so
two writers of different parts never overwrite each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import holdfast.control.registry.metadata as metadata
import holdfast.control.registry.removal as removal
import holdfast.control.registry.strategies as strategies
from holdfast.api import codec
from holdfast.api.autoscaling.v1 import autoscaling_pb2
from holdfast.api.core.v1 import core_pb2
from holdfast.api.errors import ApiError, Cause, CauseReason, Reason, conflict, invalid, not_found
from holdfast.api.kinds import Kind
from holdfast.control.registry.changes import Target
from holdfast.control.registry.drafts import Draft, Situation, unchanged
from holdfast.control.registry.intents import Intent

Update = Callable[[Intent, Kind, Situation], Draft]


def of(kind: Kind, subresource: str) -> Update:
    """How this part is updated. Raises ApiError NotFound when the kind has no such part."""
    update = _UPDATES.get(subresource)
    if update is None or subresource not in kind.subresources:
        message = f'{kind.resource} have no subresource "{subresource}" that can be updated'
        raise ApiError(Reason.NOT_FOUND, message, kind.kind)
    return update


def _status(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    target = Target(intent, kind, situation)
    new = target.copy()
    new.status.CopyFrom(intent.message.status)
    if not intent.sole:
        codec.normalize(new.status)
    if new.status == target.old.status:
        return unchanged(target.entry)
    causes = strategies.of(kind.resource).status_causes(new)
    if causes:
        raise invalid(kind.kind, target.key.name, causes)
    metadata.stamp_manager(new.metadata, kind, situation, "status")
    return target.draft(new, kind, [])


def _scale(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    target = Target(intent, kind, situation)
    replicas = intent.message.spec.replicas
    if replicas < 0:
        why = f"{replicas}: must be greater than or equal to 0"
        raise invalid("Scale", target.key.name, [Cause(CauseReason.INVALID, "spec.replicas", why)])
    if target.old.spec.replicas == replicas:
        return unchanged(target.entry)
    new = target.copy()
    new.spec.replicas = replicas
    new.metadata.generation += 1
    metadata.stamp_manager(new.metadata, kind, situation, "scale")
    return target.draft(new, kind, [])


def _binding(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    target = Target(intent, kind, situation)
    node = intent.message.spec.nodeName
    name = target.key.name
    if not node:
        cause = Cause(CauseReason.REQUIRED, "target.name", "the node to bind the pod to")
        raise invalid("Binding", name, [cause])
    if target.old.metadata.HasField("deletionTimestamp"):
        raise conflict("pods", name, "it is being deleted and cannot be bound to a node")
    if target.old.spec.nodeName:
        raise conflict("pods", name, f'it is already bound to node "{target.old.spec.nodeName}"')
    if situation.view.get("nodes", "", node) is None:
        raise not_found("nodes", node)
    new = target.copy()
    new.spec.nodeName = node
    _mark_scheduled(new.status, int(situation.now))
    metadata.stamp_manager(new.metadata, kind, situation, "binding")
    return target.draft(new, kind, [])


def _mark_scheduled(status: Any, now_s: int) -> None:
    conditions = status.conditions
    for index, condition in enumerate(conditions):
        if condition.type == "PodScheduled":
            del conditions[index]
            break
    status.MergeFromString(_scheduled(now_s))


@lru_cache(maxsize=8)  # of the second that is, and a few before
def _scheduled(now_s: int) -> bytes:
    """The condition, as the bytes of a status: it is appended by a merge."""
    made = core_pb2.PodStatus()
    condition = made.conditions.add(type="PodScheduled", status="True")
    condition.lastTransitionTime.seconds = now_s
    return made.SerializeToString()


def _finalize(intent: Intent, kind: Kind, situation: Situation) -> Draft:
    target = Target(intent, kind, situation)
    new = target.copy()
    new.spec.finalizers[:] = intent.message.spec.finalizers
    strategy = strategies.of(kind.resource)
    if new.metadata.HasField("deletionTimestamp") and removal.is_due(new, strategy):
        return removal.remove(target, kind, situation)
    if new.spec == target.old.spec:
        return unchanged(target.entry)
    return target.draft(new, kind, [])


_UPDATES: dict[str, Update] = {
    "status": _status,
    "scale": _scale,
    "binding": _binding,
    "finalize": _finalize,
}


def scale_of(message: Any) -> autoscaling_pb2.Scale:
    """The Scale of a Deployment or ReplicaSet."""
    meta = message.metadata
    scale = autoscaling_pb2.Scale()
    scale.metadata.name, scale.metadata.namespace = meta.name, meta.namespace
    scale.metadata.uid = meta.uid
    scale.metadata.creationTimestamp.CopyFrom(meta.creationTimestamp)
    scale.spec.replicas = message.spec.replicas
    scale.status.replicas = message.status.replicas
    scale.status.selector = _selector_text(message.spec.selector)
    return scale


def _selector_text(selector: Any) -> str:
    """A LabelSelector in the form of a query, as Kubernetes' LabelSelectorAsSelector prints it."""
    terms = [f"{key}={value}" for key, value in selector.matchLabels.items()]
    for item in selector.matchExpressions:
        values = ",".join(sorted(item.values))
        forms = {
            "In": f"{item.key} in ({values})",
            "NotIn": f"{item.key} notin ({values})",
            "Exists": item.key,
            "DoesNotExist": f"!{item.key}",
        }
        terms.append(forms.get(item.operator, item.key))
    return ",".join(sorted(terms))
