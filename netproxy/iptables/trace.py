"""What happens to a packet? The first packet of a connection, led through our rules.

Each random choice splits it, so the answer is a list of fates whose probabilities add up to one,
each with the rules that decided. Rules of others are not seen: the answer is what *we* do to it.
Pure module.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from holdfast.netproxy.iptables.rules import BUILT_IN, FILTER, NAT, TERMINAL, Rule, Verb
from holdfast.netproxy.iptables.text import parse, probability

Chains = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, or a later one whose state is told."""

    source: str
    destination: str
    protocol: str
    port: int
    state: str = "NEW"


class Verdict(StrEnum):
    """How a packet ends as far as our rules go."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Fate:
    """One way a packet may go.

    destination: address and port after translation. masqueraded: it leaves under this machine's
    address. probability: 0 to 1. path: "table/CHAIN: rule" of each rule that matched, in order.
    """

    verdict: Verdict
    destination: tuple[str, int]
    masqueraded: bool
    probability: float
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Walker:
    packet: Packet
    weight: float = 1.0
    marked: bool = False
    masqueraded: bool = False
    ended: Verdict | None = None
    path: tuple[str, ...] = ()


def trace(
    tables: Mapping[str, Chains],
    packet: Packet,
    *,
    made_here: bool,
    addresses: Collection[str],
) -> list[Fate]:
    """Lead a packet through the hooks.

    tables: per table, every chain with its rules as iptables-save prints them. made_here: a
    process of this machine sends it; otherwise it arrives. addresses: those of this machine.
    """
    local = frozenset(addresses)
    first = "OUTPUT" if made_here else "PREROUTING"
    walkers = list(_hook(tables, NAT, first, [_Walker(packet)], local))
    fates = []
    for walker in walkers:
        here = walker.packet.destination in local
        hook = "OUTPUT" if made_here else "INPUT" if here else "FORWARD"
        for filtered in _hook(tables, FILTER, hook, [walker], local):
            fates += _leave(tables, filtered, local, leaves=made_here or not here)
    return fates


def _leave(
    tables: Mapping[str, Chains], walker: _Walker, local: frozenset[str], *, leaves: bool
) -> list[Fate]:
    if walker.ended or not leaves:
        return [_fate(walker)]
    return [_fate(out) for out in _hook(tables, NAT, "POSTROUTING", [walker], local)]


def _fate(walker: _Walker) -> Fate:
    return Fate(
        walker.ended or Verdict.DELIVERED,
        (walker.packet.destination, walker.packet.port),
        walker.masqueraded,
        walker.weight,
        walker.path,
    )


def _hook(
    tables: Mapping[str, Chains],
    table: str,
    hook: str,
    walkers: list[_Walker],
    local: frozenset[str],
) -> Iterator[_Walker]:
    """Through one table at one hook. Only new connections see the nat table."""
    assert hook in BUILT_IN[table]
    for walker in walkers:
        if table == NAT and walker.packet.state != "NEW":
            yield walker
            continue
        for after, _finished in _chain(table, tables[table], hook, walker, local):
            yield after


def _chain(
    table: str, chains: Chains, name: str, walker: _Walker, local: frozenset[str]
) -> Iterator[tuple[_Walker, bool]]:
    """Every way through a chain; True when the hook is done with the packet."""
    waiting = [walker]
    for text in chains[name]:
        rule = parse(text)
        passing: list[_Walker] = []
        for here in waiting:
            odds = _odds(rule, here, local)
            if odds < 1.0:
                passing.append(replace(here, weight=here.weight * (1 - odds)))
            if odds > 0.0:
                where = f"{table}/{name}: {text}"
                taken = replace(here, weight=here.weight * odds, path=(*here.path, where))
                for after, finished, leaves in _perform(table, chains, rule, taken, local):
                    if leaves:
                        yield after, finished
                    else:
                        passing.append(after)
        waiting = passing
    for here in waiting:
        yield here, False


def _perform(
    table: str, chains: Chains, rule: Rule, walker: _Walker, local: frozenset[str]
) -> Iterator[tuple[_Walker, bool, bool]]:
    """(walker after the rule, hook finished, chain left)."""
    match rule.verb:
        case Verb.JUMP:
            for after, finished in _chain(table, chains, rule.to, walker, local):
                yield after, finished, finished
        case Verb.RETURN:
            yield walker, False, True
        case Verb.MARK | Verb.UNMARK:
            yield replace(walker, marked=rule.verb is Verb.MARK), False, False
        case _:
            assert rule.verb in TERMINAL
            yield _end(rule, walker), True, True


def _end(rule: Rule, walker: _Walker) -> _Walker:
    match rule.verb:
        case Verb.DNAT:
            address, _, port = rule.to.rpartition(":")
            packet = replace(walker.packet, destination=address, port=int(port))
            return replace(walker, packet=packet)
        case Verb.MASQUERADE:
            return replace(walker, masqueraded=True)
        case Verb.REJECT:
            return replace(walker, ended=Verdict.REJECTED)
        case Verb.DROP:
            return replace(walker, ended=Verdict.DROPPED)
        case _:
            return walker


def _odds(rule: Rule, walker: _Walker, local: frozenset[str]) -> float:
    """How probably the rule matches: 0, 1, or what its random match says."""
    packet = walker.packet
    matches = (
        _inside(packet.source, rule.source)
        and _inside(packet.destination, rule.destination)
        and (not rule.protocol or rule.protocol == packet.protocol)
        and (not rule.port or rule.port == packet.port)
        and (not rule.local or packet.destination in local)
        and (not rule.states or packet.state in rule.states)
        and (rule.marked is None or rule.marked == walker.marked)
    )
    return (probability(rule.one_in) if rule.one_in > 1 else 1.0) if matches else 0.0


@lru_cache(maxsize=4096)
def _inside(address: str, network: str) -> bool:
    if not network:
        return True
    negated = network.startswith("!")
    inside = ipaddress.ip_address(address) in ipaddress.ip_network(network.removeprefix("!"))
    return inside != negated
