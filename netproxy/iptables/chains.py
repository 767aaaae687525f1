"""The chains wanted for a `Forwarding`: who may connect to what, and where it ends.

    nat     services' range → HOLDFAST-SERVICES → one chain a part of the range (NET-…)
                            → one chain a service port (SVC-…) → one a target (TO-…): DNAT
            local addresses → HOLDFAST-NODEPORTS → the same service chains
            leaving         → HOLDFAST-POSTROUTING: masquerade what is marked or leaves the cluster
    filter  HOLDFAST-INPUT, -OUTPUT, -FORWARD: our traffic passes, what nobody serves is refused

The range is cut into about as many parts as a part has addresses, so a new connection meets some
hundred rules at most, at any number of services, and adding a service rewrites one short chain.
Only the first packet of a connection sees the nat table. Pure module.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from holdfast.netproxy.forwarding import Forwarding, ServicePort, Site, Target
from holdfast.netproxy.iptables.rules import FILTER, NAT, Lines, Rule, Table, Tables, Verb
from holdfast.netproxy.iptables.text import line

SERVICES = "HOLDFAST-SERVICES"
NODE_PORTS = "HOLDFAST-NODEPORTS"
POSTROUTING = "HOLDFAST-POSTROUTING"
EGRESS = "HOLDFAST-EGRESS"
MARK = "HOLDFAST-MARK"
INPUT = "HOLDFAST-INPUT"
OUTPUT = "HOLDFAST-OUTPUT"
FORWARD = "HOLDFAST-FORWARD"
UNSERVED = "HOLDFAST-UNSERVED"
CLOSED = "HOLDFAST-CLOSED"

LOOPBACK = "127.0.0.0/8"
MULTICAST = "224.0.0.0/4"
COMMENT_MAX = 255
DNS_PORT = 53


def wanted(forwarding: Forwarding) -> Tables:
    """Both tables, whole."""
    site, ports = forwarding.site, _distinct(forwarding.ports)
    return {NAT: _nat(site, ports), FILTER: _filter(site, ports)}


def _lines(*rules: Rule) -> Lines:
    return tuple(map(line, rules))


def _distinct(ports: Iterable[ServicePort]) -> list[ServicePort]:
    """In a fixed order, the first one where two claim the same address and port."""
    first: dict[tuple[str, str, int], ServicePort] = {}
    for port in sorted(ports, key=lambda port: port.name):
        first.setdefault((port.address, port.protocol, port.port), port)
    return list(first.values())


# --- nat ------------------------------------------------------------------------------------------


def _nat(site: Site, ports: list[ServicePort]) -> Table:
    to_services = Rule(
        Verb.JUMP, SERVICES, destination=site.service_cidr, comment="holdfast: services"
    )
    to_node_ports = Rule(
        Verb.JUMP,
        NODE_PORTS,
        destination=f"!{LOOPBACK}",
        comment="holdfast: node ports",
        local=True,
    )
    leaving = Rule(Verb.JUMP, POSTROUTING, comment="holdfast: leaving")
    chains: dict[str, Lines] = {
        MARK: _lines(Rule(Verb.MARK)),
        POSTROUTING: _lines(*_postrouting(site)),
        EGRESS: _lines(*_egress(site)),
        **_dispatch(site, ports),
    }
    for port in ports:
        if port.targets:
            chains.update(_service_chains(port))
    entry = _lines(to_services, to_node_ports)
    return Table(chains, {"PREROUTING": entry, "OUTPUT": entry, "POSTROUTING": _lines(leaving)})


def _dispatch(site: Site, ports: list[ServicePort]) -> dict[str, Lines]:
    """From an address and port to the service's chain; from a node port to the same."""
    parts: dict[str, list[str]] = {}
    node_ports: list[str] = []
    for port in ports:
        if port.targets:
            by_address, by_node_port = _entries(port)
            parts.setdefault(_part(port.address, site.service_cidr), []).append(by_address)
            node_ports += by_node_port
    dns = [Rule(Verb.RETURN, destination=f"{site.dns_address}/32")] if site.dns_address else []
    # Who is no pod must get its answer through this machine, so its source becomes ours.
    masquerade = Rule(Verb.JUMP, MARK, source=f"!{site.cluster_cidr}")
    services = [*_lines(*dns, masquerade)]
    services += [
        line(Rule(Verb.JUMP, _part_chain(part), destination=part)) for part in sorted(parts)
    ]
    chains = {SERVICES: tuple(services), NODE_PORTS: tuple(node_ports)}
    chains |= {_part_chain(part): tuple(lines) for part, lines in parts.items()}
    return chains


@lru_cache(maxsize=65536)
def _entries(port: ServicePort) -> tuple[str, Lines]:
    chain = _service_chain(port)
    by_address = Rule(
        Verb.JUMP,
        chain,
        destination=f"{port.address}/32",
        protocol=port.protocol,
        comment=port.name[:COMMENT_MAX],
        port=port.port,
    )
    if not port.node_port:
        return line(by_address), ()
    reached = {"protocol": port.protocol, "comment": by_address.comment, "port": port.node_port}
    # Marked first: the target may be on another machine and must answer through this one.
    marking = Rule(Verb.JUMP, MARK, **reached)  # type: ignore[arg-type]
    return line(by_address), _lines(
        marking,
        Rule(Verb.JUMP, chain, **reached),  # type: ignore[arg-type]
    )


@lru_cache(maxsize=65536)
def _service_chains(port: ServicePort) -> dict[str, Lines]:
    """The service's chain, that picks a target evenly, and one chain a target."""
    count = len(port.targets)
    names = [_target_chain(port, target) for target in port.targets]
    picks = [Rule(Verb.JUMP, name, one_in=count - place) for place, name in enumerate(names)]
    chains = {_service_chain(port): _lines(*picks)}
    for name, target in zip(names, port.targets, strict=True):
        to = f"{target.address}:{target.port}"
        chains[name] = _lines(
            # A pod that reaches itself through its service must see another source than itself.
            Rule(Verb.JUMP, MARK, source=f"{target.address}/32"),
            Rule(Verb.DNAT, to, protocol=port.protocol),
        )
    return chains


def _postrouting(site: Site) -> list[Rule]:
    sources = [site.pod_cidr] if site.pod_cidr else []
    sources += [f"{address}/32" for address in site.gateway_for]
    return [
        *(Rule(Verb.JUMP, EGRESS, source=source, marked=False) for source in sources),
        Rule(Verb.RETURN, marked=False),
        # Unmarked first: a packet that passes here again (a tunnel) is not masqueraded twice.
        Rule(Verb.UNMARK),
        Rule(Verb.MASQUERADE),
    ]


def _egress(site: Site) -> list[Rule]:
    """Out of the cluster under this machine's address; inside it pods keep their own."""
    inside = [site.cluster_cidr, MULTICAST, *(f"{address}/32" for address in site.gateway_for)]
    return [
        *(Rule(Verb.RETURN, destination=network) for network in inside),
        Rule(Verb.MASQUERADE),
    ]


# --- filter ---------------------------------------------------------------------------------------


def _filter(site: Site, ports: list[ServicePort]) -> Table:
    unserved = Rule(Verb.JUMP, UNSERVED, destination=site.service_cidr)
    closed = Rule(Verb.JUMP, CLOSED, local=True, states=("NEW",))
    dns = f"{site.dns_address}/32" if site.dns_address else ""
    empty = [port for port in ports if not port.targets]
    chains = {
        INPUT: _lines(closed, *_dns_accept(site, dns)),
        OUTPUT: _lines(unserved, closed),
        FORWARD: _lines(unserved, *_forward(site)),
        UNSERVED: _lines(
            *([Rule(Verb.RETURN, destination=dns)] if dns else []),
            *(_refusal(port, f"{port.address}/32", port.port) for port in empty),
            # What nobody serves must not leave by the default route, or go round in a circle.
            Rule(Verb.REJECT, protocol="tcp"),
            Rule(Verb.REJECT),
        ),
        CLOSED: _lines(
            *(_refusal(port, f"!{LOOPBACK}", port.node_port) for port in empty if port.node_port)
        ),
    }
    jumps = {
        hook: _lines(Rule(Verb.JUMP, chain, comment="holdfast: what nobody serves, what is ours"))
        for hook, chain in (("INPUT", INPUT), ("OUTPUT", OUTPUT), ("FORWARD", FORWARD))
    }
    return Table(chains, jumps)


def _forward(site: Site) -> list[Rule]:
    """Forwarded traffic of ours passes, whatever the policy of FORWARD (Docker's is DROP)."""
    ours = [site.cluster_cidr, *(f"{address}/32" for address in site.gateway_for)]
    return [
        # A late packet that conntrack cannot place would reach the client under the target's own
        # address, and the client would answer with a reset.
        Rule(Verb.DROP, source=site.cluster_cidr, states=("INVALID",)),
        Rule(Verb.ACCEPT, marked=True),
        *(Rule(Verb.ACCEPT, source=network) for network in ours),
        *(Rule(Verb.ACCEPT, destination=network) for network in ours),
        Rule(Verb.ACCEPT, states=("RELATED", "ESTABLISHED")),
    ]


def _dns_accept(site: Site, dns: str) -> list[Rule]:
    if not dns:
        return []
    sources = [site.cluster_cidr, *(f"{address}/32" for address in site.gateway_for)]
    return [
        Rule(Verb.ACCEPT, source=source, destination=dns, protocol=protocol, port=DNS_PORT)
        for source in sources
        for protocol in ("udp", "tcp")
    ]


def _refusal(port: ServicePort, destination: str, number: int) -> Rule:
    comment = f"{port.name} has no ready endpoints"[:COMMENT_MAX]
    return Rule(
        Verb.REJECT,
        destination=destination,
        protocol=port.protocol,
        comment=comment,
        port=number,
    )


# --- names ----------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _part(address: str, service_cidr: str) -> str:
    """The part of the range that an address is in: half of the range's free bits name it."""
    prefix = int(service_cidr.partition("/")[2])
    return str(ipaddress.ip_network(f"{address}/{(prefix + 33) // 2}", strict=False))


def _part_chain(part: str) -> str:
    return f"HOLDFAST-NET-{part.partition('/')[0]}"


def _service_chain(port: ServicePort) -> str:
    return f"HOLDFAST-SVC-{_digest(port.name, port.protocol, port.address, port.port)}"


def _target_chain(port: ServicePort, target: Target) -> str:
    return f"HOLDFAST-TO-{_digest(_service_chain(port), target.address, target.port)}"


def _digest(*parts: object) -> str:
    """Twelve hex digits: 48 bits, so that among 100,000 chains two meet once in 50,000 clusters."""
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
