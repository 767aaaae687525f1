"""What this machine knows of the cluster, and what follows from it, kept up to date by change.

Holds the newest Services, EndpointSlices and Nodes. A change recomputes only the service it
touches: its forwarded ports, and its names in the zone. The control plane may be gone: the
picture stays. Pure module; messages are shared with their source and never changed here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

from google.protobuf.message import Message

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery
from holdfast.netproxy.dns.records import names_of
from holdfast.netproxy.dns.zone import Zone
from holdfast.netproxy.forwarding import ServicePort, ports_of, service_of
from holdfast.netproxy.routes.wanted import internal_ip, pod_cidrs

SERVICES = "services"
ENDPOINT_SLICES = "endpointslices.discovery.k8s.io"
NODES = "nodes"

RESOURCES: dict[str, type[Message]] = {
    SERVICES: core.Service,
    ENDPOINT_SLICES: discovery.EndpointSlice,
    NODES: core.Node,
}
"""What is followed."""

Key = tuple[str, str]


class Picture:
    """The state of one agent. zone: kept equal to the services told."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._objects: dict[str, dict[Key, Any]] = {resource: {} for resource in RESOURCES}
        self._slices: dict[Key, dict[Key, discovery.EndpointSlice]] = {}
        self._ports: dict[Key, tuple[ServicePort, ...]] = {}

    def put(self, resource: str, message: Any) -> bool:
        """An object as it is now. Returns whether anything that we do follows from the change."""
        key = _key(message)
        before = self._objects[resource].get(key)
        self._objects[resource][key] = message
        return self._changed(resource, before, message)

    def drop(self, resource: str, message: Any) -> bool:
        """An object is gone. Returns as `put`."""
        before = self._objects[resource].pop(_key(message), None)
        return before is not None and self._changed(resource, before, None)

    def retain(self, resource: str, keys: Collection[Key]) -> bool:
        """Drop the objects of a resource that are not among `keys`. Returns as `put`."""
        gone = [obj for key, obj in self._objects[resource].items() if key not in keys]
        return True in [self.drop(resource, message) for message in gone]

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """The forwarded ports of all services."""
        return tuple(chain.from_iterable(self._ports.values()))

    @property
    def nodes(self) -> list[core.Node]:
        """All nodes, in no order."""
        return list(self._objects[NODES].values())

    def node(self, name: str) -> core.Node | None:
        """A node by name."""
        return self._objects[NODES].get(("", name))

    def objects(self) -> Iterator[tuple[str, Message]]:
        """Everything, as (resource, message)."""
        for resource, objects in self._objects.items():
            for message in objects.values():
                yield resource, message

    def _changed(self, resource: str, before: Any, after: Any) -> bool:
        if resource == NODES:
            return _node_facts(before) != _node_facts(after)
        if resource == SERVICES:
            return self._refresh(_key(after if before is None else before))
        return True in [self._refresh(service) for service in self._sort_slice(before, after)]

    def _sort_slice(self, before: Any, after: Any) -> list[Key]:
        """Put a slice under its service. Returns the services touched."""
        touched = []
        for message in (before, after):
            if message is None or not service_of(message)[1]:
                continue
            service = service_of(message)
            slices = self._slices.setdefault(service, {})
            if message is after:
                slices[_key(message)] = message
            else:
                slices.pop(_key(message), None)
            if not slices:
                del self._slices[service]
            touched.append(service)
        return list(dict.fromkeys(touched))

    def _refresh(self, key: Key) -> bool:
        """Recompute a service. Returns whether its forwarded ports or its names changed."""
        service = self._objects[SERVICES].get(key)
        slices = list(self._slices.get(key, {}).values())
        before, version = self._ports.pop(key, ()), self.zone.version
        ports = ports_of(service, slices) if service else ()
        if ports:
            self._ports[key] = ports
        self.zone.put(key, names_of(service, slices, self.zone.origin) if service else {})
        return ports != before or self.zone.version != version


def _key(message: Any) -> Key:
    return message.metadata.namespace, message.metadata.name


def _node_facts(node: core.Node | None) -> tuple[str, tuple[str, ...]] | None:
    """What routes depend on; a node's other news cost nothing here."""
    return None if node is None else (internal_ip(node), tuple(pod_cidrs(node)))
