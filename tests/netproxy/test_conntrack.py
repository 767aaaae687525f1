"""Which UDP flows are stale after a change."""

from __future__ import annotations

from dataclasses import replace

from holdfast.netproxy.conntrack import Flow, stale
from holdfast.netproxy.forwarding import Protocol, ServicePort, Target

A, B = Target("10.244.1.1", 53), Target("10.244.1.2", 53)
DNS = ServicePort("a/dns", Protocol.UDP, "10.96.1.1", 53, 30053, (A, B))


def test_a_target_that_left_is_forgotten_by_both_ways() -> None:
    gone = replace(DNS, targets=(B,))
    assert stale([DNS], [gone]) == [
        Flow("10.96.1.1", 53, "10.244.1.1"),
        Flow("", 30053, "10.244.1.1"),
    ]


def test_the_first_target_ends_flows_that_went_past() -> None:
    empty = replace(DNS, targets=(), node_port=0)
    assert stale([empty], [replace(DNS, node_port=0)]) == [Flow("10.96.1.1", 53)]
    assert stale([], [replace(DNS, node_port=0)]) == [Flow("10.96.1.1", 53)]


def test_a_service_that_left_takes_all_its_targets() -> None:
    flows = stale([replace(DNS, node_port=0)], [])
    assert {flow.target for flow in flows} == {"10.244.1.1", "10.244.1.2"}


def test_more_targets_and_tcp_are_left_alone() -> None:
    assert stale([replace(DNS, targets=(A,))], [DNS]) == []
    assert stale([replace(DNS, protocol=Protocol.TCP)], []) == []


def test_the_command_of_a_flow() -> None:
    assert Flow("10.96.1.1", 53, "10.244.1.1").command == (
        *("conntrack", "-D", "-p", "udp", "--orig-port-dst", "53"),
        *("--orig-dst", "10.96.1.1", "--dst-nat", "10.244.1.1"),
    )
