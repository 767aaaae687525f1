"""The cluster's zone in memory: every name, who gave it, and which names lie between.

`put` replaces what one service gives, so a change costs that service only. A name that has only
names below it exists (an empty answer, not NXDOMAIN): resolvers give up on NXDOMAIN. The version
grows with each change; answers are kept as long as it stays. Pure module.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.netproxy.dns.records import (
    Record,
    RecordType,
    address_of,
    reverse_name,
)

TTL_S = 5
"""Of every record and of "there is none": what CoreDNS gives cluster names."""

_POD = re.compile(r"(\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3})\.[a-z0-9-]+")
_NAMESPACE = re.compile(r"[a-z0-9-]+")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What the zone says of a name. exists: false means NXDOMAIN."""

    exists: bool
    records: tuple[Record, ...] = ()


class Zone:
    """All cluster names. origin: "cluster.local". ranges: whose reverse names are ours."""

    def __init__(self, origin: str, ranges: Sequence[str], dns_address: str) -> None:
        self.origin = origin.strip(".").lower()
        self.version = 1
        self._pods = ipaddress.IPv4Network(ranges[0])
        self._ranges = tuple(ipaddress.IPv4Network(text) for text in ranges)
        self._names: dict[str, dict[Key, tuple[Record, ...]]] = {}
        self._below: Counter[str] = Counter()
        self._given: dict[Key, Mapping[str, Sequence[Record]]] = {}
        self._give(("", ""), self._own(dns_address))

    def put(self, service: Key, names: Mapping[str, Sequence[Record]]) -> None:
        """Replace all names of a service; no names: it is gone. service: (namespace, name)."""
        if self._given.get(service, {}) == names:
            return
        self._take(service)
        if names:
            self._give(service, names)
        self.version += 1

    def __len__(self) -> int:
        return len(self._names)

    def owns(self, name: str) -> bool:
        """Whether the name is ours to answer, or ours to deny."""
        if name == self.origin or name.endswith(f".{self.origin}"):
            return True
        address = address_of(name)
        return bool(address) and any(
            ipaddress.IPv4Address(address) in network for network in self._ranges
        )

    def find(self, name: str) -> Found:
        """All records of a name that is ours."""
        given = self._names.get(name)
        if given is not None:
            records = dict.fromkeys(record for part in given.values() for record in part)
            return Found(True, tuple(records))
        return Found(True) if name in self._below else self._pod(name)

    @property
    def soa(self) -> Record:
        """The zone's start of authority; its last number is how long "there is none" holds."""
        origin = self.origin
        data = f"ns.dns.{origin}. hostmaster.{origin}. {self.version} 7200 1800 86400 {TTL_S}"
        return Record(RecordType.SOA, data)

    def _own(self, dns_address: str) -> dict[str, list[Record]]:
        server = f"ns.dns.{self.origin}"
        return {
            self.origin: [Record(RecordType.NS, f"{server}.")],
            server: [Record(RecordType.A, dns_address)],
            reverse_name(dns_address): [Record(RecordType.PTR, f"{server}.")],
            f"dns-version.{self.origin}": [Record(RecordType.TXT, '"1.1.0"')],
        }

    def _give(self, service: Key, names: Mapping[str, Sequence[Record]]) -> None:
        self._given[service] = names
        for name, records in names.items():
            self._names.setdefault(name, {})[service] = tuple(records)
            self._below.update(self._above(name))

    def _take(self, service: Key) -> None:
        for name in self._given.pop(service, {}):
            parts = self._names[name]
            del parts[service]
            if not parts:
                del self._names[name]
            for above in self._above(name):
                self._below[above] -= 1
                if not self._below[above]:
                    del self._below[above]

    def _above(self, name: str) -> list[str]:
        """The names between a name and the origin, the origin not included."""
        suffix = f".{self.origin}"
        if not name.endswith(suffix):
            return []
        labels = name.removesuffix(suffix).split(".")
        return [".".join(labels[place:]) + suffix for place in range(1, len(labels))]

    def _pod(self, name: str) -> Found:
        """`a-b-c-d.NAMESPACE.pod.ORIGIN` is the pod address a.b.c.d, whether it lives or not."""
        suffix = f"pod.{self.origin}"
        if name == suffix:
            return Found(True)
        if not name.endswith(f".{suffix}"):
            return Found(False)
        rest = name.removesuffix(f".{suffix}")
        match = _POD.fullmatch(rest)
        if match is None:
            return Found(bool(_NAMESPACE.fullmatch(rest)))
        address = address_of(reverse_name(match[1].replace("-", ".")))
        if not address or ipaddress.IPv4Address(address) not in self._pods:
            return Found(False)
        return Found(True, (Record(RecordType.A, address),))
