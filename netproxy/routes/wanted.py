"""The routes this machine needs: to the pods of every other node, and for the service range.

Nodes share one layer-2 network, so another node's pods are reached through that node's
InternalIP. The service range gets a route only so that a connection made on this machine has a
way out before its destination is translated, also where there is no default route. Pure module.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from holdfast.api.core.v1 import core_pb2 as core


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """One route of ours. gateway: the next machine, or "" = on the link that has `source`.

    source: the address that connections made here are sent from, "" = the kernel chooses.
    """

    destination: str
    gateway: str = ""
    source: str = ""


def internal_ip(node: core.Node) -> str:
    """The node's first IPv4 InternalIP, "" when it has not said any."""
    for address in node.status.addresses:
        if address.type == "InternalIP" and _is_address(address.address):
            return str(address.address)
    return ""


def wanted(
    nodes: Iterable[core.Node], node_name: str, node_ip: str, service_cidr: str
) -> frozenset[Route]:
    """All routes. node_name: this machine's, "" when it is no node. node_ip: "" = unknown yet."""
    routes = {Route(service_cidr, source=node_ip)} if node_ip else set()
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        if node.metadata.name == node_name:
            continue
        gateway = internal_ip(node)
        taken = {route.destination for route in routes}
        # Two nodes with one address are one machine reached by two names: no route to itself.
        if gateway and gateway != node_ip:
            routes |= {Route(cidr, gateway) for cidr in pod_cidrs(node) if cidr not in taken}
    return frozenset(routes)


def pod_cidrs(node: core.Node) -> list[str]:
    """The node's IPv4 pod ranges in canonical form; a range that is none is left out."""
    texts = list(node.spec.podCIDRs) or [node.spec.podCIDR]
    return [cidr for cidr in map(_network, texts) if cidr]


def _network(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return ""
    return str(network) if network.prefixlen else ""


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.IPv4Address(text).is_unspecified
    except ValueError:
        return False


def sent_from(routes: frozenset[Route], node_ip: str, service_ip: str) -> frozenset[Route]:
    """The routes, with a source that may leave this machine.

    A machine without a network has only its loopback address, and the kernel lets no packet from
    127.0.0.0/8 out of another link: then connections to services are sent from `service_ip`, an
    address of ours on the loopback link (masqueraded on the way to a pod, as any other).
    """
    if not service_ip or not node_ip or not ipaddress.ip_address(node_ip).is_loopback:
        return routes
    return frozenset(
        replace(route, source=service_ip) if route.source == node_ip else route for route in routes
    )
