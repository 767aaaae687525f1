"""Which page a kind has. Pure module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from holdfast.cli.describing import configs, generic, layout, nodes, pods, services, workloads
from holdfast.cli.describing.layout import Fields
from holdfast.cli.describing.related import Related

if TYPE_CHECKING:
    from holdfast.api.kinds import Kind

Page = Callable[[Any, Related, float], Fields]

PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "configmaps": configs.config_map,
        "deployments.apps": workloads.deployment,
        "endpointslices.discovery.k8s.io": services.endpoint_slice,
        "events": configs.event,
        "namespaces": configs.namespace,
        "nodes": nodes.page,
        "pods": pods.page,
        "replicasets.apps": workloads.replica_set,
        "secrets": configs.secret,
        "services": services.service,
    }
)
"""Every other kind has the generic page."""


def of(kind: Kind, message: Any, related: Related, now: float) -> str:
    """The page of one object as text. now: Unix seconds, for ages."""
    fields = PAGES.get(kind.resource, generic.page)(message, related, now)
    return "\n".join(layout.lines(fields))
