"""The names of one Service: Kubernetes' "DNS-Based Service Discovery", version 1.1.0.

Names are lower case without the last dot; a record's data is text as in a zone file. Pure module.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.discovery.v1 import discovery_pb2 as discovery
from holdfast.netproxy.forwarding import HEADLESS, ipv4, ready

SRV_WEIGHT = 100
"""Shared by the targets of one name, as CoreDNS does."""

NAME_MAX = 253

_NAME = re.compile(
    r"(_?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\._?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class RecordType(StrEnum):
    """The types the zone has."""

    A = "A"
    CNAME = "CNAME"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    SRV = "SRV"
    TXT = "TXT"


class Record(NamedTuple):
    """One record of a name."""

    type: RecordType
    data: str


Names = dict[str, list[Record]]


def reverse_name(address: str) -> str:
    """The name under in-addr.arpa that stands for an IPv4 address."""
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def address_of(reverse: str) -> str:
    """The IPv4 address that a whole reverse name stands for, "" when it is none."""
    parts = reverse.removesuffix(".in-addr.arpa").split(".")
    return _strict(".".join(reversed(parts))) if reverse.endswith(".in-addr.arpa") else ""


def _strict(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return ""


def names_of(
    service: core.Service, slices: Iterable[discovery.EndpointSlice], zone: str
) -> Mapping[str, list[Record]]:
    """Every name of a service with its records; what could not be a DNS name is left out.

    slices: those of this service. zone: "cluster.local".
    """
    names = _names(service, slices, zone)
    return {name: records for name, records in names.items() if _sound(name)}


def _sound(name: str) -> bool:
    return len(name) <= NAME_MAX and _NAME.fullmatch(name) is not None


def _names(
    service: core.Service, slices: Iterable[discovery.EndpointSlice], zone: str
) -> Mapping[str, list[Record]]:
    meta, spec = service.metadata, service.spec
    base = f"{meta.name}.{meta.namespace}.svc.{zone}".lower()
    if not _sound(base):
        return {}
    if spec.type == "ExternalName":
        target = spec.externalName.rstrip(".").lower()
        return {base: [Record(RecordType.CNAME, f"{target}.")]} if _sound(target) else {}
    if spec.clusterIP == HEADLESS:
        return _headless(service, slices, base)
    address = ipv4(spec.clusterIP)
    return _addressed(service, address, base) if address else {}


def _addressed(service: core.Service, address: str, base: str) -> Names:
    names: Names = {
        base: [Record(RecordType.A, address)],
        reverse_name(address): [Record(RecordType.PTR, f"{base}.")],
    }
    for port in service.spec.ports:
        if port.name:
            srv = Record(RecordType.SRV, f"0 {SRV_WEIGHT} {port.port} {base}.")
            names[_srv_name(port.name, port.protocol, base)] = [srv]
    return names


def _headless(service: core.Service, slices: Iterable[discovery.EndpointSlice], base: str) -> Names:
    """The addresses themselves under the service's name, and one name an endpoint."""
    names: Names = {}
    targets: dict[str, list[tuple[int, str]]] = {}
    for part in slices:
        for endpoint in part.endpoints:
            address = ipv4(endpoint.addresses[0]) if endpoint.addresses else ""
            if not address or not ready(endpoint, service):
                continue
            host = f"{_label(endpoint, address)}.{base}"
            _add(names, base, Record(RecordType.A, address))
            _add(names, host, Record(RecordType.A, address))
            _add(names, reverse_name(address), Record(RecordType.PTR, f"{host}."))
            for port in part.ports:
                if port.name:
                    name = _srv_name(port.name, port.protocol, base)
                    targets.setdefault(name, []).append((port.port, host))
    for name, hosts in targets.items():
        weight = max(1, SRV_WEIGHT // len(hosts))
        for number, host in hosts:
            _add(names, name, Record(RecordType.SRV, f"0 {weight} {number} {host}."))
    return names


def _add(names: Names, name: str, record: Record) -> None:
    records = names.setdefault(name, [])
    if record not in records:
        records.append(record)


def _label(endpoint: discovery.Endpoint, address: str) -> str:
    """The endpoint's own label: its hostname, or its address with dashes."""
    hostname = str(endpoint.hostname).lower()
    return hostname if _LABEL.fullmatch(hostname) else address.replace(".", "-")


def _srv_name(port: str, protocol: str, base: str) -> str:
    return f"_{port}._{protocol or 'TCP'}.{base}".lower()
