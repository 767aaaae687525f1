"""Namespaces: they end in two steps, so that everything in them goes first. Pure module.

A delete makes the phase Terminating; from then on nothing is created inside. The namespace
controller empties it and takes "kubernetes" off spec.finalizers (subresource "finalize").
"""

from __future__ import annotations

from typing import Any

from holdfast.api import kinds
from holdfast.api.errors import ApiError, Reason, conflict
from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.strategies.generic import Strategy

FINALIZER = "kubernetes"
PROTECTED = ("default", "kube-node-lease", "kube-public", "kube-system")


class NamespaceStrategy(Strategy):
    """As Kubernetes' namespace storage."""

    def before_create(self, new: Any, _situation: Situation) -> None:
        new.status.Clear()
        new.status.phase = "Active"
        if FINALIZER not in new.spec.finalizers:
            new.spec.finalizers.append(FINALIZER)

    def before_update(self, new: Any, old: Any) -> None:
        super().before_update(new, old)
        new.spec.finalizers[:] = old.spec.finalizers

    def check_delete(self, old: Any) -> None:
        name = old.metadata.name
        if name in PROTECTED:
            message = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
            raise ApiError(Reason.FORBIDDEN, message, "Namespace", name)

    def held(self, new: Any) -> bool:
        return super().held(new) or len(new.spec.finalizers) > 0

    def mark_deleted(self, new: Any) -> None:
        new.status.phase = "Terminating"

    def check_removal(self, old: Any, situation: Situation) -> None:
        name = old.metadata.name
        left = "something that is just being created" if situation.creating(name) else ""
        for kind in kinds.all_kinds():
            if kind.built and kind.namespaced and situation.view.list(kind.resource, name):
                left = kind.resource
                break
        if left:
            raise conflict("namespaces", name, f"it still holds {left}")
