"""The picture: any order of news ends in the same state, and only real changes wake anybody."""

from __future__ import annotations

import copy
import random

from holdfast.netproxy.dns.zone import Zone
from holdfast.netproxy.picture import ENDPOINT_SLICES, NODES, SERVICES, Picture
from tests.netproxy.builders import endpoints, node, service

RANGES = ("10.244.0.0/16", "10.96.0.0/16")


def picture() -> Picture:
    return Picture(Zone("cluster.local", RANGES, "10.96.0.10"))


def test_any_order_of_news_ends_the_same() -> None:
    news = [
        (SERVICES, service("web", "10.96.1.1")),
        (SERVICES, service("api", "10.96.1.2")),
        (ENDPOINT_SLICES, endpoints("web", "10.244.1.1")),
        (ENDPOINT_SLICES, endpoints("web", "10.244.1.2", suffix="2")),
        (ENDPOINT_SLICES, endpoints("api", "10.244.1.3")),
        (NODES, node("n1", "10.244.1.0/24", "192.168.7.1")),
    ]
    ends = set()
    for seed in range(20):
        random.Random(seed).shuffle(news)
        made = picture()
        for resource, message in news:
            made.put(resource, message)
        ends.add((tuple(sorted(made.ports, key=lambda port: port.name)), len(made.zone)))
    assert len(ends) == 1
    ((ports, _),) = ends
    assert [len(port.targets) for port in ports] == [1, 2]


def test_only_real_changes_count() -> None:
    made = picture()
    assert made.put(SERVICES, service("web", "10.96.1.1"))
    assert not made.put(SERVICES, service("web", "10.96.1.1"))
    assert made.put(NODES, node("n1", "10.244.1.0/24", "192.168.7.1"))
    busy = node("n1", "10.244.1.0/24", "192.168.7.1")
    busy.status.conditions.add(type="Ready", status="True")
    assert not made.put(NODES, busy)
    assert not made.put(ENDPOINT_SLICES, endpoints("web", "10.244.1.1", ready=False))
    assert made.put(ENDPOINT_SLICES, endpoints("web", "10.244.1.1"))
    assert not made.drop(SERVICES, service("other"))


def test_a_headless_service_changes_names_only() -> None:
    made = picture()
    made.put(SERVICES, service("db", "None"))
    assert made.put(ENDPOINT_SLICES, endpoints("db", "10.244.1.1"))
    assert made.ports == ()


def test_a_slice_that_moves_to_another_service_leaves_the_first() -> None:
    made = picture()
    made.put(SERVICES, service("a", "10.96.1.1"))
    made.put(SERVICES, service("b", "10.96.1.2"))
    part = endpoints("a", "10.244.1.1")
    made.put(ENDPOINT_SLICES, part)
    moved = copy.deepcopy(part)
    moved.metadata.labels["kubernetes.io/service-name"] = "b"
    assert made.put(ENDPOINT_SLICES, moved)
    targets = {port.name: len(port.targets) for port in made.ports}
    assert targets == {"default/a": 0, "default/b": 1}


def test_retain_drops_what_is_gone() -> None:
    made = picture()
    made.put(SERVICES, service("a", "10.96.1.1"))
    made.put(SERVICES, service("b", "10.96.1.2"))
    assert made.retain(SERVICES, {("default", "b")})
    assert [port.name for port in made.ports] == ["default/b"]
    assert not made.zone.find("a.default.svc.cluster.local").exists
    assert not made.retain(SERVICES, {("default", "b")})
