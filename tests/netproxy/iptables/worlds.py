"""Forwardings to test with, and the fate of packets in them."""

from __future__ import annotations

from holdfast.netproxy.forwarding import Forwarding, ports_of
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.fake import FakeIptables
from holdfast.netproxy.iptables.trace import Fate, Packet, trace
from tests.netproxy.builders import SITE, endpoints, service

NODE = ("192.168.7.1", "127.0.0.1", "10.96.0.10")
OUTSIDE, POD = "192.168.7.99", "10.244.1.77"


def world() -> Forwarding:
    """Three services: three targets, none, and one over UDP."""
    ports = (
        *ports_of(
            service("web", "10.96.1.1", node_port=30080),
            [endpoints("web", "10.244.1.5", "10.244.1.6", "10.244.2.7")],
        ),
        *ports_of(service("empty", "10.96.1.2", node_port=30081), []),
        *ports_of(
            service("udp", "10.96.200.3", protocol="UDP"),
            [endpoints("udp", "10.244.2.8", protocol="UDP")],
        ),
    )
    return Forwarding(SITE, ports)


async def applied(wanted: Forwarding) -> FakeIptables:
    fake = FakeIptables()
    await IptablesFilter(fake).apply(wanted)
    return fake


def fates(fake: FakeIptables, packet: Packet, *, made_here: bool = False) -> list[Fate]:
    return trace(fake.tables, packet, made_here=made_here, addresses=NODE)
