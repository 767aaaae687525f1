"""One iptables rule as a value, and the tables that hold them.

A rule has the few matches that we use and no others, so that text, fake and tracer can each know
all of them. Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PREFIX = "HOLDFAST-"
"""Every chain of ours begins so; every other chain is somebody else's."""

CHAIN_NAME_MAX = 28
"""Linux: XT_EXTENSION_MAXNAMELEN less the closing zero."""

NAT, FILTER = "nat", "filter"
TABLES = (NAT, FILTER)

BUILT_IN = {
    NAT: ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    FILTER: ("INPUT", "FORWARD", "OUTPUT"),
}


class Verb(StrEnum):
    """What happens to a packet that a rule matches."""

    JUMP = "jump"  # to: a chain
    RETURN = "RETURN"
    ACCEPT = "ACCEPT"
    DROP = "DROP"
    REJECT = "REJECT"  # a TCP reset, or "port unreachable"
    DNAT = "DNAT"  # to: "address:port"
    MARK = "mark"  # set our bit
    UNMARK = "unmark"  # clear it
    MASQUERADE = "MASQUERADE"


TERMINAL = frozenset({Verb.ACCEPT, Verb.DROP, Verb.REJECT, Verb.DNAT, Verb.MASQUERADE})
"""After these no further rule of the hook sees the packet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: every match that is set must hold.

    source, destination: "10.0.0.0/8", or "!10.0.0.0/8" for all but it. port: destination port,
    needs a protocol. local: the destination is one of this machine's addresses. states: of the
    connection. marked: our bit is set, or is not. one_in: matches one packet in so many, at
    random.
    """

    verb: Verb
    to: str = ""
    source: str = ""
    destination: str = ""
    protocol: str = ""
    comment: str = ""
    port: int = 0
    local: bool = False
    states: tuple[str, ...] = ()
    marked: bool | None = None
    one_in: int = 1


Lines = tuple[str, ...]


@dataclass(slots=True)
class Table:
    """Our part of one table, as text without the leading "-A CHAIN ".

    chains: our chains. jumps: the rules of built-in chains that lead to them.
    """

    chains: dict[str, Lines] = field(default_factory=dict)
    jumps: dict[str, Lines] = field(default_factory=dict)


Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class TableChange:
    """What leads from one table to another.

    write: chains made or rewritten whole. delete: chains of ours that go. put_in, take_out:
    (built-in chain, rule) pairs, inserted at its head, removed.
    """

    table: str
    write: Mapping[str, Lines]
    delete: tuple[str, ...] = ()
    put_in: tuple[tuple[str, str], ...] = ()
    take_out: tuple[tuple[str, str], ...] = ()
