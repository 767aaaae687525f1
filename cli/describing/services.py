"""The pages of services and endpoint slices. Pure module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.api.objects import intorstring
from holdfast.cli.describing import parts
from holdfast.cli.describing.layout import Block, Fields, Grid, pairs
from holdfast.cli.describing.related import Related

SHOWN_MAX = 8


def service(found: Any, related: Related, now: float) -> Fields:
    """A Service: its addresses, and for each port the endpoints that are ready."""
    spec = found.spec
    fields: Fields = [
        *parts.head(found),
        *parts.marks(found),
        ("Selector", pairs(spec.selector.items())),
        ("Type", spec.type),
    ]
    if spec.type == "ExternalName":
        fields.append(("External Name", spec.externalName))
    else:
        fields.append(("IP", spec.clusterIP))
        fields.append(("IPs", list(spec.clusterIPs)))
    for port in spec.ports:
        fields += _port(port, related.slices)
    return [
        *fields,
        ("Session Affinity", spec.sessionAffinity or "None"),
        ("Events", parts.events(related.events, now)),
    ]


def _port(port: Any, slices: Iterable[Any]) -> Fields:
    target = intorstring.text(port.targetPort) if port.HasField("targetPort") else str(port.port)
    fields: Fields = [
        ("Port", f"{port.name or '<unset>'}  {port.port}/{port.protocol}"),
        ("TargetPort", f"{target}/{port.protocol}"),
    ]
    if port.nodePort:
        fields.append(("NodePort", f"{port.name or '<unset>'}  {port.nodePort}/{port.protocol}"))
    found = sorted(_endpoints(port.name, slices))
    shown = ",".join(found[:SHOWN_MAX])
    more = f" + {len(found) - SHOWN_MAX} more..." if len(found) > SHOWN_MAX else ""
    return [*fields, ("Endpoints", shown + more or "<none>")]


def _endpoints(port: str, slices: Iterable[Any]) -> Iterable[str]:
    """address:port of what is ready behind one port of a Service."""
    for item in slices:
        numbers = [found.port for found in item.ports if found.name == port]
        for endpoint in item.endpoints:
            if endpoint.conditions.ready or not endpoint.conditions.HasField("ready"):
                for address in endpoint.addresses:
                    yield from (f"{address}:{number}" for number in numbers)


def endpoint_slice(found: Any, related: Related, now: float) -> Fields:
    """An EndpointSlice, endpoint by endpoint."""
    ports = [[p.name or "<unset>", str(p.port) if p.port else "*", p.protocol] for p in found.ports]
    endpoints = [(", ".join(e.addresses), Block(_endpoint(e))) for e in found.endpoints]
    return [
        *parts.head(found),
        *parts.marks(found),
        *parts.controlled_by(found),
        ("AddressType", found.addressType),
        ("Ports", Grid(("Name", "Port", "Protocol"), ports)),
        ("Endpoints", Block(list(endpoints))),
        ("Events", parts.events(related.events, now)),
    ]


def _endpoint(endpoint: Any) -> Fields:
    target = endpoint.targetRef
    conditions = endpoint.conditions
    states = [
        f"{name}={parts.flag(getattr(conditions, name)).lower()}"
        for name in ("ready", "serving", "terminating")
        if conditions.HasField(name)
    ]
    return [
        ("Conditions", ", ".join(states) or "<none>"),
        ("TargetRef", f"{target.kind}/{target.name}" if target.name else "<none>"),
        ("NodeName", endpoint.nodeName or "<unset>"),
        ("Zone", endpoint.zone or "<unset>"),
    ]
