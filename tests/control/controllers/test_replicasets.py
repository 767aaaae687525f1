from __future__ import annotations

from holdfast.control.controllers.garbage import Garbage
from holdfast.control.controllers.replicasets import ReplicaSets
from holdfast.control.registry import Propagation
from tests.control.controllers.world import World, pod, replica_set


async def test_makes_its_replicas_and_counts_them(world: World) -> None:
    world.start(ReplicaSets())
    made = await world.create("replicasets.apps", replica_set())
    await world.settle()
    pods = world.all("pods")
    assert len(pods) == 3
    assert all(each.metadata.name.startswith("web-") for each in pods)
    owner = pods[0].metadata.ownerReferences[0]
    assert (owner.uid, owner.controller, owner.blockOwnerDeletion) == (
        made.metadata.uid,
        True,
        True,
    )
    status = world.get("replicasets.apps", "web").status
    assert (status.replicas, status.readyReplicas, status.availableReplicas) == (3, 3, 3)
    assert (status.fullyLabeledReplicas, status.observedGeneration) == (3, 1)
    created = [message for reason, message in world.told if reason == "SuccessfulCreate"]
    assert sorted(created) == sorted(f"Created pod: {each.metadata.name}" for each in pods)


async def test_does_nothing_more_when_all_is_well(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("replicasets.apps", replica_set())
    await world.settle()
    revision = world.cache.revision
    world.start(ReplicaSets())
    await world.settle()
    assert world.cache.revision == revision


async def test_replaces_a_pod_that_goes_or_ends(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("replicasets.apps", replica_set())
    await world.settle()
    first, second = (each.metadata.name for each in world.all("pods")[:2])
    await world.delete("pods", first)
    await world.change("pods", second, lambda p: setattr(p.status, "phase", "Failed"), "status")
    await world.settle()
    active = [each for each in world.all("pods") if each.status.phase != "Failed"]
    assert len(active) == 3
    assert world.get("pods", first) is None


async def test_takes_away_pending_and_young_pods_first(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("replicasets.apps", replica_set())
    await world.settle()
    old = {each.metadata.name for each in world.all("pods")}
    world.now += 60
    await world.change("replicasets.apps", "web", lambda r: setattr(r.spec, "replicas", 5))
    await world.settle()
    await world.change("replicasets.apps", "web", lambda r: setattr(r.spec, "replicas", 6))
    await world.settle(agents=False)
    await world.change("replicasets.apps", "web", lambda r: setattr(r.spec, "replicas", 3))
    await world.settle()
    assert {each.metadata.name for each in world.all("pods")} == old


async def test_adopts_orphans_and_releases_strangers(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("pods", pod("bare"))
    made = await world.create("replicasets.apps", replica_set(replicas=2))
    await world.settle()
    assert len(world.all("pods")) == 2
    adopted = world.get("pods", "bare")
    assert adopted.metadata.ownerReferences[0].uid == made.metadata.uid
    await world.change("pods", "bare", lambda p: p.metadata.labels.update({"app": "other"}))
    await world.settle()
    assert not world.get("pods", "bare").metadata.ownerReferences
    assert len(world.all("pods")) == 3
    assert world.get("replicasets.apps", "web").status.replicas == 2


async def test_a_pod_is_available_after_min_ready_seconds(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("replicasets.apps", replica_set(minReadySeconds=10))
    await world.settle()
    status = world.get("replicasets.apps", "web").status
    assert (status.readyReplicas, status.availableReplicas) == (3, 0)
    await world.wait(10)
    assert world.get("replicasets.apps", "web").status.availableReplicas == 3


async def test_makes_many_in_slices(world: World) -> None:
    world.start(ReplicaSets())
    await world.create("replicasets.apps", replica_set(replicas=1200))
    await world.step()
    assert len(world.all("pods")) == 499
    await world.settle(agents=False)
    assert len(world.all("pods")) == 1200


async def test_makes_nothing_for_a_set_that_is_going(world: World) -> None:
    controllers = (ReplicaSets(), Garbage())
    world.start(*controllers)
    await world.create("replicasets.apps", replica_set())
    await world.settle()
    await world.delete("replicasets.apps", "web", propagation=Propagation.FOREGROUND)
    await world.settle()
    assert world.all("pods") == world.all("replicasets.apps") == []
