"""Pods: they begin Pending, and a running one is deleted by its node. Pure module.

A delete of a pod that runs gives it deletionTimestamp; its node stops it and then deletes with
grace 0. A pod that no node has, or that has finished, goes at once.
"""

from __future__ import annotations

from typing import Any

from holdfast.api.objects import readiness
from holdfast.control.registry.intents import Intent
from holdfast.control.registry.strategies.generic import Strategy

GRACE_S_DEFAULT = 30


class PodStrategy(Strategy):
    """As Kubernetes' pod storage."""

    def before_update(self, new: Any, old: Any) -> None:
        """What the system filled in stays, so that a manifest applies again."""
        super().before_update(new, old)
        for field in ("serviceAccountName", "nodeName"):
            if not getattr(new.spec, field) and getattr(old.spec, field):
                setattr(new.spec, field, getattr(old.spec, field))

    def grace_s(self, intent: Intent, old: Any) -> int:
        if not old.spec.nodeName or readiness.pod_finished(old):
            return 0
        if intent.grace_period_s is not None:
            return intent.grace_period_s
        if old.spec.HasField("terminationGracePeriodSeconds"):
            return max(0, int(old.spec.terminationGracePeriodSeconds))
        return GRACE_S_DEFAULT
