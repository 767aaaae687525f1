"""What this machine must forward: service ports with their ready endpoints, as plain values.

`ports_of` reads one Service and its EndpointSlices; a packet filter turns the `Forwarding` into
rules. Everything that ends up in a rule is checked here: an address is an IPv4 address, a port a
number, a name has no character that a rule's text could trip over. Pure module.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service."""

HEADLESS = "None"

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class Protocol(StrEnum):
    """What is forwarded; a port of another protocol is not."""

    TCP = "tcp"
    UDP = "udp"


class Target(NamedTuple):
    """Where a connection may end: one ready endpoint of a service port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one service.

    name: "namespace/service:port", for people. address: the cluster IP. node_port: 0 = none.
    targets: ordered, without repetition; empty = connections are refused.
    """

    name: str
    protocol: Protocol
    address: str
    port: int
    node_port: int = 0
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """This machine's place in the cluster.

    cluster_cidr: all pods. service_cidr: all service addresses. pod_cidr: the pods of this
    machine, "" when it runs none. dns_address: where this machine's own DNS answers, "" = none.
    gateway_for: addresses of machines whose traffic passes through this one (several nodes in
    namespaces of one machine).
    """

    cluster_cidr: str
    service_cidr: str
    pod_cidr: str = ""
    dns_address: str = ""
    gateway_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The whole of what a packet filter has to do on this machine."""

    site: Site
    ports: tuple[ServicePort, ...] = ()


def service_of(endpoints: discovery.EndpointSlice) -> tuple[str, str]:
    """(namespace, name) of the Service a slice belongs to; the name is "" when it says none."""
    meta = endpoints.metadata
    return meta.namespace, meta.labels.get(SERVICE_LABEL, "")


def ready(endpoint: discovery.Endpoint, service: core.Service) -> bool:
    """Whether new connections may go there: ready, or unknown, or the service takes all.

    discovery/v1: a missing condition means ready. A terminating endpoint is never ready.
    """
    conditions = endpoint.conditions
    answers = conditions.ready if conditions.HasField("ready") else True
    return answers or service.spec.publishNotReadyAddresses


def ports_of(
    service: core.Service, slices: Iterable[discovery.EndpointSlice]
) -> tuple[ServicePort, ...]:
    """The ports of one service that this machine forwards.

    slices: those of this service, any order. Headless services, ExternalName and services whose
    address is not allocated have none.
    """
    spec = service.spec
    address = ipv4(spec.clusterIP)
    if not address or spec.type == "ExternalName":
        return ()
    found = list(slices)
    ports = []
    for port in spec.ports:
        protocol = _protocol(port.protocol)
        if protocol is None or not 0 < port.port < 65536:
            continue
        ports.append(
            ServicePort(
                _title(service, port.name),
                protocol,
                address,
                port.port,
                port.nodePort if spec.type == "NodePort" else 0,
                _targets(service, port, found),
            )
        )
    return tuple(ports)


def _targets(
    service: core.Service, port: core.ServicePort, slices: list[discovery.EndpointSlice]
) -> tuple[Target, ...]:
    targets = set()
    for part in slices:
        for number in _numbers(part, port):
            for endpoint in part.endpoints:
                if ready(endpoint, service) and endpoint.addresses:
                    address = ipv4(endpoint.addresses[0])
                    if address:
                        targets.add(Target(address, number))
    return tuple(sorted(targets))


def _numbers(part: discovery.EndpointSlice, port: core.ServicePort) -> list[int]:
    """The port numbers of a slice that stand for a service port: equal name and protocol."""
    return [
        candidate.port
        for candidate in part.ports
        if candidate.name == port.name
        and (candidate.protocol or "TCP") == (port.protocol or "TCP")
        and 0 < candidate.port < 65536
    ]


def _protocol(text: str) -> Protocol | None:
    return {"": Protocol.TCP, "TCP": Protocol.TCP, "UDP": Protocol.UDP}.get(text)


def _title(service: core.Service, port: str) -> str:
    meta = service.metadata
    parts = (meta.namespace, meta.name, *((port,) if port else ()))
    if not all(_NAME.fullmatch(part) for part in parts):
        return "unnamed"
    title = f"{meta.namespace}/{meta.name}"
    return f"{title}:{port}" if port else title


@lru_cache(maxsize=65536)
def ipv4(text: str) -> str:
    """The address in canonical form; "" when it is no IPv4 address that packets can be sent to."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return ""
    bad = address.is_loopback or address.is_multicast or address.is_unspecified
    return "" if bad or address.is_link_local else str(address)
