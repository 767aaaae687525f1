"""Nodes: they bring their own status when they register, and get a block of pod addresses.

Pure module.
"""

from __future__ import annotations

from typing import Any

from holdfast.api import quantity
from holdfast.api.errors import Cause, CauseReason
from holdfast.control.registry.addresses import nodes
from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.strategies.generic import Strategy
from holdfast.control.store.commands import Write


class NodeStrategy(Strategy):
    """As Kubernetes' node storage: every field may be set at creation."""

    has_addresses = True

    def before_create(self, new: Any, _situation: Situation) -> None:
        """A node may say at once what it has and that it is ready."""

    def claims(self, new: Any, old: Any, situation: Situation) -> list[Write]:
        return nodes.claims(new, old, situation)

    def releases(self, old: Any, situation: Situation) -> list[Write]:
        return nodes.releases(old, situation)

    def status_causes(self, new: Any) -> list[Cause]:
        """Quantities the scheduler could not read."""
        causes = []
        for field in ("capacity", "allocatable"):
            for resource, value in getattr(new.status, field).items():
                try:
                    amount = quantity.parse(value.string)
                except quantity.QuantityError as error:
                    why = str(error)
                else:
                    why = "must not be negative" if amount < 0 else ""
                if why:
                    path = f"status.{field}[{resource}]"
                    causes.append(Cause(CauseReason.INVALID, path, why))
        return causes
