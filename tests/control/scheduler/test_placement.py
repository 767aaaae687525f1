from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.scheduler.placement import Placement, place
from tests.control.scheduler.clusters import (
    many,
    node,
    pending,
    pod,
    rng,
    tainted,
    term,
    view,
)


def where(placement: Placement) -> Counter[str]:
    return Counter(binding.node for binding in placement.bindings)


def why(placement: Placement) -> str:
    return placement.failures[0][1].message


def with_port(number: int, address: str = "") -> Callable[[core.Pod], None]:
    def change(message: core.Pod) -> None:
        port = message.spec.containers[0].ports.add(containerPort=number, hostPort=number)
        port.hostIP = address

    return change


def selecting(message: core.Pod) -> None:
    message.spec.nodeSelector["disk"] = "ssd"


def requiring(message: core.Pod) -> None:
    wanted = message.spec.affinity.nodeAffinity
    required = wanted.requiredDuringSchedulingIgnoredDuringExecution
    required.nodeSelectorTerms.append(term("disk", "In", "ssd", "nvme"))


def naming(message: core.Pod) -> None:
    wanted = message.spec.affinity.nodeAffinity
    required = wanted.requiredDuringSchedulingIgnoredDuringExecution
    field = required.nodeSelectorTerms.add().matchFields.add(key="metadata.name", operator="In")
    field.values.append("ssd")


def tolerating(message: core.Pod) -> None:
    message.spec.tolerations.add(key="gpu", operator="Exists")


NODES = (
    node("ssd", disk="ssd"),
    node("small", cpu="500m"),
    tainted(node("gpu"), "gpu", value="yes"),
)


@pytest.mark.parametrize(
    ("change", "requests", "nodes"),
    [
        (selecting, {}, {"ssd"}),
        (requiring, {}, {"ssd"}),
        (naming, {}, {"ssd"}),
        (lambda _: None, {"cpu": "1"}, {"ssd"}),
        (tolerating, {"cpu": "1"}, {"ssd", "gpu"}),
    ],
)
def test_each_rule_keeps_pods_to_the_right_nodes(
    change: Callable[[core.Pod], None], requests: dict[str, str], nodes: set[str]
) -> None:
    message = pod(owner="o", **requests)
    change(message)
    first, second = pending(message), pending(message)._replace(key=("default", "q"))
    assert set(where(place(view(*NODES), [first, second], rng()))) == nodes


def test_says_why_none_can_as_kubernetes_does() -> None:
    cordoned = node("n4")
    cordoned.spec.unschedulable = True
    cluster = view(
        node("n1", cpu="1"),
        node("n2", cpu="1", memory="1Gi"),
        tainted(node("n3", disk="ssd"), "gpu", value="yes"),
        cordoned,
        node("n5", pods="0"),
    )
    assert why(place(cluster, [pending(pod(cpu="2", memory="2Gi"))], rng())) == (
        "0/5 nodes are available: 1 Insufficient memory, 1 Too many pods, "
        "1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable, "
        "2 Insufficient cpu."
    )


def test_says_so_when_there_are_no_nodes_or_none_matches() -> None:
    assert why(place(view(), [pending(pod())], rng())) == "no nodes available to schedule pods"
    message = pod()
    selecting(message)
    assert why(place(view(node("n1")), [pending(message)], rng())) == (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    )


def test_a_device_that_no_node_offers_is_insufficient() -> None:
    cluster = view(node("n1"))
    message = pod(**{"example.com/gpu": "1"})
    assert "1 Insufficient example.com/gpu" in why(place(cluster, [pending(message)], rng()))
    offering = node("n2")
    offering.status.allocatable["example.com/gpu"].string = "1"
    cluster.table.set_node(offering)
    assert where(place(cluster, [pending(message)], rng())) == {"n2": 1}


@pytest.mark.parametrize(
    ("first", "second", "placed"),
    [("", "", 1), ("10.0.0.1", "10.0.0.2", 2), ("10.0.0.1", "", 1), ("10.0.0.1", "10.0.0.1", 1)],
)
def test_a_port_of_the_node_is_given_once(first: str, second: str, placed: int) -> None:
    pods = []
    for name, address in (("a", first), ("b", second)):
        message = pod(name)
        with_port(80, address)(message)
        pods.append(pending(message))
    placement = place(view(node("n1")), pods, rng())
    assert len(placement.bindings) == placed
    if placed == 1:
        assert "didn't have free ports" in why(placement)


def test_prefers_what_the_pod_prefers_and_nodes_without_soft_taints() -> None:
    message = pod()
    wishes = message.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
    wishes.add(weight=10, preference=term("disk", "In", "ssd"))
    assert where(place(view(*NODES[:2]), [pending(message)], rng())) == {"ssd": 1}
    soft = tainted(node("soft", cpu="64", memory="512Gi"), "busy", "PreferNoSchedule")
    busy = view(soft, node("plain"))
    assert where(place(busy, many(3), rng())) == {"plain": 3}


@pytest.mark.parametrize("seed", range(3))
def test_pods_of_one_owner_are_spread_evenly(seed: int) -> None:
    cluster = view(*(node(f"n{n}") for n in range(1000)))
    placement = place(cluster, many(5000, cpu="10m", memory="16Mi"), rng(seed))
    assert set(where(placement).values()) == {5}


def test_pods_that_ask_for_nothing_are_spread_too() -> None:
    cluster = view(*(node(f"n{n}") for n in range(10)))
    pods = [pending(pod(f"p{n}")) for n in range(100)]
    assert set(where(place(cluster, pods, rng())).values()) == {10}


def test_larger_nodes_take_more() -> None:
    cluster = view(node("big", cpu="16", memory="32Gi"), node("small"))
    pods = [pending(pod(f"p{n}", cpu="500m", memory="1Gi")) for n in range(20)]
    found = where(place(cluster, pods, rng()))
    assert found["big"] > 2 * found["small"]


def test_all_of_a_cluster_can_be_filled() -> None:
    cluster = view(*(node(f"n{n}") for n in range(50)))
    placement = place(cluster, many(220, cpu="1", memory="1Gi"), rng())
    assert set(where(placement).values()) == {4}
    assert len(placement.failures) == 20


def test_the_same_seed_gives_the_same_placement() -> None:
    def run() -> list[str]:
        cluster = view(*(node(f"n{n}") for n in range(20)))
        return [binding.node for binding in place(cluster, many(30), rng(5)).bindings]

    assert run() == run()


amounts = st.sampled_from(["0", "1m", "250m", "1", "3"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(0, 30), amounts, st.integers(1, 8)),
        st.tuples(st.just("forget"), st.integers(0, 30)),
        st.tuples(st.just("node"), st.integers(0, 4), amounts, st.integers(1, 9)),
        st.tuples(st.just("drop"), st.integers(0, 4)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 9))
def test_no_node_is_ever_given_more_than_it_has(acts: list[tuple[object, ...]], seed: int) -> None:
    """I4, against a naive count; and an incremental ranking chooses as a fresh one would."""
    cluster = view()
    source = rng(seed)
    held: dict[str, tuple[str, int, int]] = {}  # pod → node, cpu, memory
    nodes: dict[str, tuple[int, int]] = {}
    milli = {"0": 0, "1m": 1, "250m": 250, "1": 1000, "3": 3000}
    for act in acts:
        name = f"x{act[1]}"
        if act[0] == "place" and name not in held:
            cpu, memory = str(act[2]), int(str(act[3]))
            item = pending(pod(name, owner="o", cpu=cpu, memory=f"{memory}Gi"))
            placement = place(cluster, [item], source)
            free = {
                each: (
                    nodes[each][0] - sum(c for n, c, _ in held.values() if n == each),
                    nodes[each][1] - sum(m for n, _, m in held.values() if n == each),
                )
                for each in nodes
            }
            able = [n for n, (c, m) in free.items() if c >= milli[cpu] and m >= memory]
            assert bool(placement.bindings) == bool(able)
            if placement.bindings:
                chosen = placement.bindings[0].node
                assert chosen in able
                held[name] = (chosen, milli[cpu], memory)
        elif act[0] == "forget" and name in held:
            cluster.table.forget(("default", name))
            del held[name]
        elif act[0] == "node":
            cpu, memory = str(act[2]), int(str(act[3]))
            used = [(c, m) for n, c, m in held.values() if n == name]
            if sum(c for c, _ in used) <= milli[cpu] and sum(m for _, m in used) <= memory:
                cluster.table.set_node(node(name, cpu=cpu, memory=f"{memory}Gi"))
                nodes[name] = (milli[cpu], memory)
        elif act[0] == "drop":
            cluster.table.drop_node(name)
            nodes.pop(name, None)
    table = cluster.table
    for name, (cpu_, memory_) in nodes.items():
        slot = table.slots[name]
        assert table.free[0, slot] == cpu_ - sum(c for n, c, _ in held.values() if n == name)
        assert table.free[1, slot] >> 30 == memory_ - sum(
            m for n, _, m in held.values() if n == name
        )
