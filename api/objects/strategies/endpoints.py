"""Endpoint slices: rules (pkg/apis/discovery/validation). Pure module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects.findings import IMMUTABLE

if TYPE_CHECKING:
    from holdfast.api.discovery.v1 import discovery_pb2 as discovery
    from holdfast.api.objects.findings import Findings

ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
PROTOCOLS = ("SCTP", "TCP", "UDP")
ENDPOINTS_MAX = 1000
ADDRESSES_MAX = 100
PORTS_MAX = 100

_ADDRESS_RULES: Mapping[str, Callable[[str], str]] = {
    "IPv4": names.ipv4,
    "IPv6": names.ip,
    "FQDN": names.subdomain,
}


def default(item: discovery.EndpointSlice) -> None:
    """Ports have a name ("" when none is given) and are TCP."""
    for port in item.ports:
        if not port.HasField("name"):
            port.name = ""
        if not port.protocol:
            port.protocol = "TCP"


def validate(item: discovery.EndpointSlice, found: Findings) -> None:
    """Everything in a slice."""
    found.one_of("addressType", item.addressType, ADDRESS_TYPES)
    if len(item.endpoints) > ENDPOINTS_MAX:
        detail = f"must have at most {ENDPOINTS_MAX} items"
        found.invalid("endpoints", len(item.endpoints), detail)
    else:
        _endpoints(item, found)
    if len(item.ports) > PORTS_MAX:
        found.invalid("ports", len(item.ports), f"must have at most {PORTS_MAX} items")
    else:
        _ports(item.ports, found)


def validate_update(
    old: discovery.EndpointSlice, new: discovery.EndpointSlice, found: Findings
) -> None:
    """The address type stays."""
    if old.addressType != new.addressType:
        found.invalid("addressType", new.addressType, IMMUTABLE)


def _endpoints(item: discovery.EndpointSlice, found: Findings) -> None:
    rule = _ADDRESS_RULES.get(item.addressType, names.ip)
    for index, endpoint in enumerate(item.endpoints):
        path = f"endpoints[{index}]"
        if not endpoint.addresses:
            found.required(f"{path}.addresses", "must contain at least 1 address")
        elif len(endpoint.addresses) > ADDRESSES_MAX:
            detail = f"must have at most {ADDRESSES_MAX} items"
            found.invalid(f"{path}.addresses", len(endpoint.addresses), detail)
        for number, address in enumerate(endpoint.addresses):
            if broken := rule(address):
                found.invalid(f"{path}.addresses[{number}]", address, broken)
        if endpoint.hostname and (broken := names.label(endpoint.hostname)):
            found.invalid(f"{path}.hostname", endpoint.hostname, broken)
        if endpoint.nodeName and (broken := names.subdomain(endpoint.nodeName)):
            found.invalid(f"{path}.nodeName", endpoint.nodeName, broken)


def _ports(ports: Iterable[discovery.EndpointPort], found: Findings) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = f"ports[{index}]"
        if port.name:
            found.rule(f"{path}.name", port.name, names.label(port.name))
        if port.name in seen:
            found.duplicate(f"{path}.name", port.name)
        seen.add(port.name)
        found.one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
        if port.HasField("port"):
            broken = names.port(port.port)
            if broken:
                found.invalid(f"{path}.port", port.port, broken)
