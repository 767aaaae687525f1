"""What each kind does differently when it is written: one small class a kind, generic first.

Pure package. `of(resource)` finds the strategy; a kind without an entry behaves generically.
"""

from __future__ import annotations

from holdfast.control.registry.strategies.generic import Strategy
from holdfast.control.registry.strategies.namespaces import NamespaceStrategy
from holdfast.control.registry.strategies.nodes import NodeStrategy
from holdfast.control.registry.strategies.pods import PodStrategy
from holdfast.control.registry.strategies.secrets import SecretStrategy
from holdfast.control.registry.strategies.services import ServiceStrategy

__all__ = ["Strategy", "of"]

_GENERIC = Strategy()
_STRATEGIES: dict[str, Strategy] = {
    "namespaces": NamespaceStrategy(),
    "nodes": NodeStrategy(),
    "pods": PodStrategy(),
    "secrets": SecretStrategy(),
    "services": ServiceStrategy(),
}


def of(resource: str) -> Strategy:
    """The strategy of a resource."""
    return _STRATEGIES.get(resource, _GENERIC)
