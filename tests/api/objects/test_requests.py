"""What a pod needs of a node."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.core.v1 import core_pb2
from holdfast.api.objects import requests


def _pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> core_pb2.Pod:
    pod = core_pb2.Pod()
    for field, items in (("containers", containers), ("initContainers", init)):
        for item in items:
            made = getattr(pod.spec, field).add()
            for side in ("limits", "requests"):
                for name, text in item.get(side, {}).items():
                    getattr(made.resources, side).get_or_create(name).string = text
    return pod


def _wanted(**amounts: str) -> dict[str, Any]:
    return {"requests": {name.replace("_", "-"): text for name, text in amounts.items()}}


ROWS: list[tuple[core_pb2.Pod, dict[str, int]]] = [
    (_pod({}), {"cpu": 0, "memory": 0, "pods": 1}),
    (_pod(_wanted(cpu="100m"), _wanted(cpu="0.5")), {"cpu": 600, "memory": 0, "pods": 1}),
    (_pod(_wanted(memory="1.5Ki")), {"cpu": 0, "memory": 1536, "pods": 1}),
    (_pod(_wanted(cpu="100u")), {"cpu": 1, "memory": 0, "pods": 1}),
    (
        _pod(_wanted(cpu="1", memory="1"), init=(_wanted(cpu="3"), _wanted(cpu="2"))),
        {"cpu": 3000, "memory": 1, "pods": 1},
    ),
    (
        _pod(_wanted(ephemeral_storage="1Gi")),
        {"cpu": 0, "memory": 0, "ephemeral-storage": 1 << 30, "pods": 1},
    ),
]


@pytest.mark.parametrize(("pod", "total"), ROWS)
def test_of_pod(pod: core_pb2.Pod, total: dict[str, int]) -> None:
    assert requests.of_pod(pod) == total


@given(st.lists(st.integers(0, 5000), max_size=5), st.lists(st.integers(0, 5000), max_size=5))
def test_a_pod_needs_the_larger_of_its_two_phases(run: list[int], init: list[int]) -> None:
    pod = _pod(
        *(_wanted(cpu=f"{milli}m") for milli in run),
        init=tuple(_wanted(cpu=f"{milli}m") for milli in init),
    )
    assert requests.of_pod(pod)["cpu"] == max([sum(run), *init])


def test_amounts() -> None:
    pod = _pod({"limits": {"cpu": "2", "memory": "1Mi", "pods": "110"}})
    limits = pod.spec.containers[0].resources.limits
    assert requests.amounts(limits) == {"cpu": 2000, "memory": 1 << 20, "pods": 110}


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("pod", "quality"),
    [
        (_pod({}), "BestEffort"),
        (_pod(_wanted(cpu="1")), "Burstable"),
        (_pod({"limits": BOTH, "requests": BOTH}), "Guaranteed"),
        (_pod({"limits": BOTH}), "Guaranteed"),
        (_pod({"limits": BOTH, "requests": {**BOTH, "cpu": "500m"}}), "Burstable"),
        (_pod({"limits": BOTH, "requests": {**BOTH, "cpu": "1000m"}}), "Guaranteed"),
        (_pod({"limits": BOTH}, {}), "Burstable"),
    ],
)
def test_quality_of_service(pod: core_pb2.Pod, quality: str) -> None:
    assert requests.qos_class(pod) == quality
