from __future__ import annotations

from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import owners
from holdfast.control.cache import Entry, EventType, Update
from holdfast.control.controllers import victims
from holdfast.control.controllers.tallies import Standing, Tally
from holdfast.control.store.commands import Key


def pod(
    name: str, node: str = "n", phase: str = "Running", ready_since: int = 0, **more: Any
) -> core.Pod:
    message = core.Pod()
    message.metadata.name, message.metadata.namespace = name, "default"
    message.metadata.labels["app"] = "web"
    message.metadata.ownerReferences.add(uid="o", kind="ReplicaSet", name="web", controller=True)
    message.metadata.creationTimestamp.seconds = more.get("created", 1)
    if "cost" in more:
        message.metadata.annotations[victims.DELETION_COST] = more["cost"]
    message.spec.nodeName = node
    message.status.phase = phase
    if ready_since:
        ready = message.status.conditions.add(type="Ready", status="True")
        ready.lastTransitionTime.seconds = ready_since
    message.status.containerStatuses.add(name="c", restartCount=more.get("restarts", 0))
    return message


def entry(message: core.Pod) -> Entry:
    key = Key("pods", message.metadata.namespace, message.metadata.name)
    made = Entry(key, 1, 1, message, b"")
    owner = owners.controller_of(message.metadata)
    made.indexed = (owner.uid if owner else "", message.spec.nodeName)
    return made


def chosen(count: int, *pods: core.Pod) -> list[str]:
    tally = Tally("ReplicaSet")
    for each in pods:
        tally.count(Update(EventType.ADDED, None, entry(each), 1))
    by_name = {each.metadata.name: each for each in pods}
    return victims.choose(tally.of("o"), count, by_name.get)


def test_the_least_useful_go_first() -> None:
    assert chosen(
        4,
        pod("ready", ready_since=5),
        pod("unready"),
        pod("pending", phase="Pending"),
        pod("unassigned", node="", phase="Pending"),
        pod("going-anyway", phase="Succeeded"),
    ) == ["unassigned", "pending", "unready", "ready"]


def test_among_ready_pods_the_rank_decides() -> None:
    assert chosen(1, pod("a", cost="5", ready_since=5), pod("b", cost="-1", ready_since=1)) == ["b"]
    assert chosen(
        1,
        pod("a", "n1", ready_since=5),
        pod("b", "n2", ready_since=9),
        pod("c", "n1", ready_since=1),
    ) == ["a"], "the node with two"
    assert chosen(1, pod("a", "n1", ready_since=5), pod("b", "n2", ready_since=9)) == ["b"]
    late, early = pod("a", "n1", ready_since=5, restarts=3), pod("b", "n2", ready_since=5)
    assert chosen(1, early, late) == ["a"]
    assert chosen(1, pod("a", ready_since=5, created=1), pod("b", ready_since=5, created=2)) == [
        "b"
    ]


def test_a_large_set_is_shrunk_from_its_young_side() -> None:
    pods = [pod(f"p{n}", f"n{n}", ready_since=1 + n // 10) for n in range(3 * victims.RANKED_MAX)]
    names = chosen(5, *pods)
    assert len(set(names)) == 5
    assert all(int(name[1:]) >= 2 * victims.RANKED_MAX for name in names)
    assert len(set(chosen(2 * victims.RANKED_MAX, *pods))) == 2 * victims.RANKED_MAX


def test_the_tally_follows_every_change_and_forgets() -> None:
    tally = Tally("ReplicaSet")
    states = [
        pod("a", node="", phase="Pending"),
        pod("a", phase="Pending"),
        pod("a"),
        pod("a", ready_since=7),
    ]
    old = None
    for message, standing in zip(
        states,
        (Standing.UNASSIGNED, Standing.PENDING, Standing.UNREADY, Standing.READY),
        strict=True,
    ):
        new = entry(message)
        tally.count(Update(EventType.MODIFIED, old, new, 1))
        ((group, names),) = tally.of("o").items()
        assert (group.standing, list(names)) == (standing, ["a"])
        old = new
    stray = core.Pod()
    stray.CopyFrom(states[-1])
    stray.metadata.ClearField("ownerReferences")
    tally.count(Update(EventType.MODIFIED, old, entry(stray), 1))
    assert not tally.of("o")
    assert len(tally.orphans("default")) == 1
    tally.count(Update(EventType.DELETED, entry(stray), None, 1))
    assert not any(vars(tally)[name] for name in ("_groups", "_places"))
