"""The routes wanted: to every other node's pods, and one for the service range."""

from __future__ import annotations

import pytest

from holdfast.netproxy.routes.wanted import Route, sent_from, wanted
from tests.netproxy.builders import node

SERVICES = "10.96.0.0/16"
NODES = [
    node("n1", "10.244.1.0/24", "192.168.7.1"),
    node("n2", "10.244.2.0/24", "192.168.7.2"),
    node("n3", "10.244.3.0/24", "192.168.7.3"),
]


def test_each_other_node_is_the_gateway_of_its_pods() -> None:
    assert wanted(NODES, "n1", "192.168.7.1", SERVICES) == {
        Route(SERVICES, source="192.168.7.1"),
        Route("10.244.2.0/24", "192.168.7.2"),
        Route("10.244.3.0/24", "192.168.7.3"),
    }


def test_a_machine_that_is_no_node_reaches_all() -> None:
    routes = wanted(NODES, "", "192.168.7.254", SERVICES)
    assert {route.gateway for route in routes} == {
        "", "192.168.7.1", "192.168.7.2", "192.168.7.3",
    }  # fmt: skip


def test_an_unknown_own_address_gives_no_route_for_services() -> None:
    assert Route(SERVICES) not in wanted(NODES, "n1", "", SERVICES)


def test_a_machine_without_a_network_sends_from_an_address_that_may_leave() -> None:
    routes = sent_from(wanted([], "n1", "127.0.0.1", SERVICES), "127.0.0.1", "10.96.0.10")
    assert routes == {Route(SERVICES, source="10.96.0.10")}


def test_a_machine_with_a_network_sends_from_its_own_address() -> None:
    routes = wanted(NODES, "n1", "192.168.7.1", SERVICES)
    assert sent_from(routes, "192.168.7.1", "10.96.0.10") == routes


@pytest.mark.parametrize(
    ("cidr", "address"),
    [
        ("", "192.168.7.9"),
        ("0.0.0.0/0", "192.168.7.9"),
        ("10.244.9.0/24", "nonsense"),
        ("10.244.9.0/24", "192.168.7.1"),
        ("fd00::/64", "192.168.7.9"),
        ("10.244.9.1/24", "192.168.7.9"),
    ],
)
def test_a_node_that_says_nothing_sound_gives_no_route(cidr: str, address: str) -> None:
    routes = wanted([*NODES, node("n9", cidr, address)], "n1", "192.168.7.1", SERVICES)
    assert len(routes) == 3


def test_one_range_claimed_twice_has_one_way() -> None:
    routes = wanted([*NODES, node("n9", "10.244.2.0/24", "192.168.7.9")], "n1", "", SERVICES)
    ways = [route.gateway for route in routes if route.destination == "10.244.2.0/24"]
    assert ways == ["192.168.7.2"]
