"""Services: their addresses come from the cluster's ranges and stay for life. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.control.registry.addresses import services
from holdfast.control.registry.drafts import Situation
from holdfast.control.registry.strategies.generic import Strategy
from holdfast.control.store.commands import Write


class ServiceStrategy(Strategy):
    """As Kubernetes' service storage."""

    has_addresses = True

    def claims(self, new: Any, old: Any, situation: Situation) -> list[Write]:
        return services.claims(new, old, situation)

    def releases(self, old: Any, situation: Situation) -> list[Write]:
        return services.releases(old, situation)
