"""What happens to packets: only ready endpoints, evenly; what nobody serves is refused at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.netproxy.forwarding import Forwarding, ServicePort, ports_of
from holdfast.netproxy.iptables import chains
from holdfast.netproxy.iptables.trace import Packet, Verdict, trace
from tests.netproxy.builders import SITE, endpoints, service
from tests.netproxy.iptables.worlds import NODE, OUTSIDE, POD, applied, fates, world

WEB = {("10.244.1.5", 8080), ("10.244.1.6", 8080), ("10.244.2.7", 8080)}


@pytest.mark.parametrize(
    ("source", "destination", "port", "made_here", "masqueraded"),
    [
        (POD, "10.96.1.1", 80, False, False),
        (OUTSIDE, "10.96.1.1", 80, False, True),
        (NODE[0], "10.96.1.1", 80, True, True),
        (OUTSIDE, NODE[0], 30080, False, True),
        (POD, NODE[0], 30080, False, True),
        (NODE[0], NODE[0], 30080, True, True),
    ],
)
async def test_every_target_is_reached_evenly(
    source: str, destination: str, port: int, made_here: bool, masqueraded: bool
) -> None:
    packet = Packet(source, destination, "tcp", port)
    found = fates(await applied(world()), packet, made_here=made_here)
    assert {fate.destination for fate in found} == WEB
    assert all(fate.verdict is Verdict.DELIVERED for fate in found)
    assert all(fate.probability == pytest.approx(1 / 3) for fate in found)
    assert all(fate.masqueraded == masqueraded for fate in found)


async def test_a_pod_that_reaches_itself_is_masqueraded() -> None:
    found = fates(await applied(world()), Packet("10.244.1.5", "10.96.1.1", "tcp", 80))
    assert {fate.destination[0]: fate.masqueraded for fate in found} == {
        "10.244.1.5": True,
        "10.244.1.6": False,
        "10.244.2.7": False,
    }


@pytest.mark.parametrize("made_here", [True, False])
@pytest.mark.parametrize(
    ("destination", "protocol", "port"),
    [
        ("10.96.1.2", "tcp", 80),  # no ready endpoints
        ("10.96.1.1", "tcp", 81),  # no such port
        ("10.96.1.1", "udp", 80),  # no such protocol
        ("10.96.77.77", "tcp", 80),  # no such service
        (NODE[0], "tcp", 30081),  # a node port without endpoints
    ],
)
async def test_what_nobody_serves_is_refused(
    made_here: bool, destination: str, protocol: str, port: int
) -> None:
    source = NODE[0] if made_here else POD
    packet = Packet(source, destination, protocol, port)
    (fate,) = fates(await applied(world()), packet, made_here=made_here)
    assert fate.verdict is Verdict.REJECTED


async def test_the_reason_of_a_refusal_is_in_the_path() -> None:
    (fate,) = fates(await applied(world()), Packet(POD, "10.96.1.2", "tcp", 80))
    assert "default/empty has no ready endpoints" in fate.path[-1]


async def test_localhost_has_no_node_ports() -> None:
    packet = Packet("127.0.0.1", "127.0.0.1", "tcp", 30080)
    (fate,) = fates(await applied(world()), packet, made_here=True)
    assert (fate.verdict, fate.destination) == (Verdict.DELIVERED, ("127.0.0.1", 30080))


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize(("source", "made_here"), [(POD, False), (NODE[0], True)])
async def test_dns_of_this_machine_is_left_alone(
    protocol: str, source: str, made_here: bool
) -> None:
    packet = Packet(source, "10.96.0.10", protocol, 53)
    (fate,) = fates(await applied(world()), packet, made_here=made_here)
    assert (fate.verdict, fate.masqueraded) == (Verdict.DELIVERED, False)
    assert fate.destination == ("10.96.0.10", 53)


async def test_pods_keep_their_address_inside_the_cluster_and_lose_it_outside() -> None:
    fake = await applied(world())
    (inside,) = fates(fake, Packet(POD, "10.244.2.9", "tcp", 80))
    (outside,) = fates(fake, Packet(POD, "1.1.1.1", "tcp", 443))
    assert (inside.masqueraded, outside.masqueraded) == (False, True)


async def test_what_a_gateway_forwards_for_its_nodes() -> None:
    site = replace(SITE, pod_cidr="", gateway_for=("10.89.0.11", "10.89.0.12"))
    fake = await applied(Forwarding(site))
    (between,) = fates(fake, Packet("10.89.0.11", "10.89.0.12", "tcp", 80))
    (out,) = fates(fake, Packet("10.89.0.11", "1.1.1.1", "tcp", 443))
    assert (between.masqueraded, out.masqueraded) == (False, True)
    assert "ACCEPT" in between.path[1]


async def test_a_late_packet_out_of_place_is_dropped() -> None:
    packet = Packet("10.244.1.5", POD, "tcp", 4711, state="INVALID")
    (fate,) = fates(await applied(world()), packet)
    assert fate.verdict is Verdict.DROPPED


@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    source=st.sampled_from([POD, OUTSIDE, "10.244.9.1"]),
)
def test_only_ready_endpoints_evenly_at_any_size(counts: list[int], source: str) -> None:
    """I6, over services with any number of endpoints."""
    ports: list[ServicePort] = []
    for number, count in enumerate(counts):
        name, address = f"s{number}", f"10.96.{number * 20}.{number + 1}"
        ready = endpoints(name, *(f"10.244.{number}.{host + 1}" for host in range(count)))
        waiting = endpoints(name, f"10.244.{number}.99", ready=False, suffix="2")
        ports += ports_of(service(name, address), [waiting, ready])
    tables = {
        table: {name: list(lines) for name, lines in {**content.chains, **content.jumps}.items()}
        for table, content in chains.wanted(Forwarding(SITE, tuple(ports))).items()
    }
    tables["nat"].setdefault("POSTROUTING", [])
    for port in ports:
        packet = Packet(source, port.address, "tcp", port.port)
        found = trace(tables, packet, made_here=False, addresses=NODE)
        assert sum(fate.probability for fate in found) == pytest.approx(1.0)
        if port.targets:
            assert {fate.destination for fate in found} == set(port.targets)
            for fate in found:
                assert fate.probability == pytest.approx(1 / len(port.targets), abs=1e-6)
        else:
            assert [fate.verdict for fate in found] == [Verdict.REJECTED]
