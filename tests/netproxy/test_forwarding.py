"""What is forwarded: only ready endpoints, only sound values."""

from __future__ import annotations

import pytest

from holdfast.netproxy.forwarding import Protocol, ServicePort, Target, ports_of
from tests.netproxy.builders import endpoints, service


def test_a_service_port_has_its_ready_endpoints_in_order() -> None:
    slices = [
        endpoints("web", "10.244.2.9", "10.244.1.5"),
        endpoints("web", "10.244.1.7", ready=False, suffix="2"),
        endpoints("web", "10.244.1.5", suffix="3"),
    ]
    assert ports_of(service("web", "10.96.1.1", node_port=30080), slices) == (
        ServicePort(
            "default/web",
            Protocol.TCP,
            "10.96.1.1",
            80,
            30080,
            (Target("10.244.1.5", 8080), Target("10.244.2.9", 8080)),
        ),
    )


def test_ports_meet_by_name_and_protocol() -> None:
    made = service("dns", "10.96.1.2", ports=[("a", 53), ("b", 54)], protocol="UDP")
    slices = [
        endpoints("dns", "10.244.1.5", ports=[("b", 5354), ("a", 5353)], protocol="UDP"),
        endpoints("dns", "10.244.1.6", ports=[("a", 9)], protocol="TCP", suffix="2"),
    ]
    first, second = ports_of(made, slices)
    assert first.name == "default/dns:a"
    assert first.targets == (Target("10.244.1.5", 5353),)
    assert second.targets == (Target("10.244.1.5", 5354),)
    assert first.protocol is Protocol.UDP


def test_an_unknown_condition_means_ready() -> None:
    part = endpoints("web", "10.244.1.5")
    part.endpoints[0].ClearField("conditions")
    (port,) = ports_of(service("web", "10.96.1.1"), [part])
    assert port.targets


def test_publish_not_ready_addresses_takes_all() -> None:
    made = service("web", "10.96.1.1")
    made.spec.publishNotReadyAddresses = True
    (port,) = ports_of(made, [endpoints("web", "10.244.1.5", ready=False)])
    assert port.targets == (Target("10.244.1.5", 8080),)


@pytest.mark.parametrize("address", ["", "None", "10.96.1.1\n-A", "fd00::1", "10.96.1"])
def test_no_address_no_rules(address: str) -> None:
    assert ports_of(service("web", address), [endpoints("web", "10.244.1.5")]) == ()


@pytest.mark.parametrize(
    "address", ["10.244.1.5 -j ACCEPT", "127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "x"]
)
def test_an_endpoint_that_is_no_sound_address_is_left_out(address: str) -> None:
    (port,) = ports_of(service("web", "10.96.1.1"), [endpoints("web", address)])
    assert port.targets == ()


def test_a_name_that_would_break_a_rule_is_not_written() -> None:
    (port,) = ports_of(service('web" -j ACCEPT', "10.96.1.1"), [])
    assert port.name == "unnamed"


def test_reading_changes_no_message() -> None:
    made, part = service("web", "10.96.1.1"), endpoints("web", "10.244.1.5")
    part.endpoints[0].ClearField("conditions")
    before = made.SerializeToString(deterministic=True), part.SerializeToString(deterministic=True)
    ports_of(made, [part])
    after = made.SerializeToString(deterministic=True), part.SerializeToString(deterministic=True)
    assert before == after
