"""By what objects can be found besides their name: one function an index, a table by resource.

A value "" means "not in this index". Pure module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OWNER = "owner"
NODE = "spec.nodeName"
SERVICE = "service"
INVOLVED = "involved"

PODS = "pods"
SERVICE_LABEL = "kubernetes.io/service-name"

Index = Callable[[Any], str]


def _owner(message: Any) -> str:
    """The uid of the owner that controls the object (meta/v1 OwnerReference.controller)."""
    references = message.metadata.ownerReferences
    if references:
        for reference in references:
            if reference.controller:
                return str(reference.uid)
    return ""


def _node(message: Any) -> str:
    return str(message.spec.nodeName)


def _service(message: Any) -> str:
    """namespace/name of the Service an EndpointSlice belongs to."""
    service = message.metadata.labels.get(SERVICE_LABEL)
    return f"{message.metadata.namespace}/{service}" if service else ""


def _involved(message: Any) -> str:
    return str(message.involvedObject.uid)


def _regarding(message: Any) -> str:
    return str(message.regarding.uid)


_EVERY: tuple[tuple[str, Index], ...] = ((OWNER, _owner),)
_MORE: dict[str, tuple[tuple[str, Index], ...]] = {
    PODS: ((NODE, _node),),
    "endpointslices.discovery.k8s.io": ((SERVICE, _service),),
    "events": ((INVOLVED, _involved),),
    "events.events.k8s.io": ((INVOLVED, _regarding),),
}


OWNER_AT, NODE_AT = 0, 1
"""Where OWNER stands among the indexes, NODE among those of PODS, and so in `Entry.indexed`."""


def indexes_of(resource: str) -> tuple[tuple[str, Index], ...]:
    """The indexes of a resource, with their names; OWNER is always the first."""
    return _EVERY + _MORE.get(resource, ())
