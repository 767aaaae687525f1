from __future__ import annotations

from typing import Any

from holdfast.control.controllers.garbage import Garbage
from holdfast.control.registry import Propagation
from tests.control.controllers.world import World, owned_by, replica_set


def config(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": list(owners)}}


async def family(world: World, **more: Any) -> None:
    """A ReplicaSet that owns c0 and c1, and c1 owns leaf."""
    world.start(Garbage())
    owner = await world.create("replicasets.apps", replica_set(replicas=0))
    reference = owned_by(owner, "apps/v1", "ReplicaSet", **more)
    await world.create("configmaps", config("c0", reference))
    child = await world.create("configmaps", config("c1", reference))
    await world.create("configmaps", config("leaf", owned_by(child, "v1", "ConfigMap")))
    await world.settle()


def names(world: World) -> list[str]:
    return [each.metadata.name for each in world.all("configmaps")]


async def test_background_takes_everything_below(world: World) -> None:
    await family(world, controller=True)
    assert names(world) == ["c0", "c1", "leaf"]
    await world.delete("replicasets.apps", "web")
    await world.settle()
    assert names(world) == []


async def test_references_that_do_not_control_count_too(world: World) -> None:
    await family(world)
    await world.delete("replicasets.apps", "web")
    await world.settle()
    assert names(world) == []


async def test_foreground_goes_from_the_leaves(world: World) -> None:
    await family(world, controller=True, blockOwnerDeletion=True)
    await world.change("configmaps", "c0", lambda c: c.metadata.finalizers.append("x.io/hold"))
    await world.delete("replicasets.apps", "web", propagation=Propagation.FOREGROUND)
    await world.settle()
    assert names(world) == ["c0"]
    assert world.get("replicasets.apps", "web") is not None
    await world.change("configmaps", "c0", lambda c: c.metadata.finalizers.remove("x.io/hold"))
    await world.settle()
    assert names(world) == []
    assert world.get("replicasets.apps", "web") is None


async def test_orphan_lets_them_stay(world: World) -> None:
    await family(world, controller=True)
    await world.delete("replicasets.apps", "web", propagation=Propagation.ORPHAN)
    await world.settle()
    assert names(world) == ["c0", "c1", "leaf"]
    assert not world.get("configmaps", "c0").metadata.ownerReferences
    assert world.get("replicasets.apps", "web") is None


async def test_one_of_two_owners_is_enough_to_stay(world: World) -> None:
    world.start(Garbage())
    first = await world.create("configmaps", config("first"))
    second = await world.create("configmaps", config("second"))
    both = (owned_by(first, "v1", "ConfigMap"), owned_by(second, "v1", "ConfigMap"))
    await world.create("configmaps", config("child", *both))
    await world.delete("configmaps", "first")
    await world.settle()
    left = world.get("configmaps", "child").metadata.ownerReferences
    assert [each.name for each in left] == ["second"]


async def test_an_owner_of_another_uid_or_that_never_was_counts_as_gone(world: World) -> None:
    world.start(Garbage())
    owner = await world.create("configmaps", config("owner"))
    reference = {**owned_by(owner, "v1", "ConfigMap"), "uid": "another"}
    await world.create("configmaps", config("child", reference))
    await world.settle()
    assert names(world) == ["owner"]


async def test_an_owner_of_a_kind_that_is_not_known_is_believed(world: World) -> None:
    world.start(Garbage())
    reference = {"apiVersion": "x.io/v1", "kind": "Thing", "name": "t", "uid": "u"}
    await world.create("configmaps", config("child", reference))
    await world.settle()
    assert names(world) == ["child"]


async def test_what_happened_while_nobody_looked_is_found(world: World) -> None:
    await family(world, controller=True)
    world.start()
    await world.delete("replicasets.apps", "web")
    world.start(Garbage())
    await world.settle()
    assert names(world) == []
