"""The columns of services, endpoints and endpoint slices. Pure module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from holdfast.api.kinds import cells
from holdfast.api.kinds.kind import AGE, NAME, Column

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.discovery.v1 import discovery_pb2 as discovery

_SHOWN_MAX = 3


def _cluster_ip(service: core.Service, _now: float) -> str:
    return service.spec.clusterIP or cells.NONE


def _external_ip(service: core.Service, _now: float) -> str:
    spec = service.spec
    if spec.type == "ExternalName":
        return spec.externalName
    ingress = [i.ip or i.hostname for i in service.status.loadBalancer.ingress]
    addresses = [*ingress, *spec.externalIPs]
    if not addresses and spec.type == "LoadBalancer":
        return "<pending>"
    return cells.joined(addresses)


def _port(port: core.ServicePort) -> str:
    node = f":{port.nodePort}" if port.nodePort else ""
    return f"{port.port}{node}/{port.protocol}"


SERVICES = (
    NAME,
    Column("Type", "string", 0, lambda service, _now: service.spec.type),
    Column("Cluster-IP", "string", 0, _cluster_ip),
    Column("External-IP", "string", 0, _external_ip),
    Column("Port(s)", "string", 0, lambda s, _now: cells.joined(map(_port, s.spec.ports))),
    AGE,
    Column("Selector", "string", 1, lambda s, _now: cells.labels(s.spec.selector.items())),
)


def _slice_ports(item: discovery.EndpointSlice, _now: float) -> str:
    if not item.ports:
        return "<unset>"
    return cells.joined((str(p.port) if p.port else "*" for p in item.ports), _SHOWN_MAX)


def _slice_endpoints(item: discovery.EndpointSlice, _now: float) -> str:
    addresses = [address for endpoint in item.endpoints for address in endpoint.addresses]
    return cells.joined(addresses, _SHOWN_MAX) if addresses else "<unset>"


ENDPOINT_SLICES = (
    NAME,
    Column("AddressType", "string", 0, lambda item, _now: item.addressType),
    Column("Ports", "string", 0, _slice_ports),
    Column("Endpoints", "string", 0, _slice_endpoints),
    AGE,
)


def _pairs(endpoints: core.Endpoints) -> Iterator[str]:
    for subset in endpoints.subsets:
        for address in subset.addresses:
            if not subset.ports:
                yield address.ip
            for port in subset.ports:
                yield f"{address.ip}:{port.port}"


ENDPOINTS = (
    NAME,
    Column("Endpoints", "string", 0, lambda e, _now: cells.joined(_pairs(e), _SHOWN_MAX)),
    AGE,
)
