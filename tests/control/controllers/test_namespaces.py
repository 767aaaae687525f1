from __future__ import annotations

from holdfast.api.objects import readiness
from holdfast.control.controllers.namespaces import Namespaces
from holdfast.control.controllers.serviceaccounts import ServiceAccounts
from holdfast.control.registry import Intent, Verb
from tests.control.controllers.world import World


async def inside(world: World, name: str, **meta: list[str]) -> None:
    tree = {"metadata": {"name": name, "namespace": "shop", **meta}}
    await world.create("configmaps", tree)


async def test_empties_a_namespace_and_lets_it_go(world: World) -> None:
    world.start(Namespaces(), ServiceAccounts())
    await world.create("namespaces", {"metadata": {"name": "shop"}})
    await world.settle()
    assert [each.metadata.name for each in world.all("serviceaccounts", "shop")] == ["default"]
    for number in range(700):
        await inside(world, f"c{number}")
    await world.delete("namespaces", "shop")
    await world.settle()
    assert world.get("namespaces", "shop") is None
    assert not world.all("configmaps", "shop")
    assert not world.all("serviceaccounts", "shop")


async def test_waits_for_what_is_held_and_says_what(world: World) -> None:
    world.start(Namespaces())
    await world.create("namespaces", {"metadata": {"name": "shop"}})
    await inside(world, "held", finalizers=["x.io/hold"])
    await world.delete("namespaces", "shop")
    await world.settle()
    found = world.get("namespaces", "shop")
    assert found.status.phase == "Terminating"
    condition = readiness.condition(found.status.conditions, "NamespaceContentRemaining")
    assert condition.message == "Some resources are remaining: configmaps has 1 instances"
    held = world.cache.get("configmaps", "shop", "held")
    assert held is not None
    copy = type(held.message)()
    copy.CopyFrom(held.message)
    copy.metadata.ClearField("finalizers")
    await world.do(Intent(Verb.UPDATE, *held.key, copy))
    await world.settle()
    assert world.get("namespaces", "shop") is None


async def test_a_deleted_default_account_comes_back(world: World) -> None:
    world.start(ServiceAccounts())
    await world.settle()
    before = world.get("serviceaccounts", "default")
    await world.delete("serviceaccounts", "default")
    await world.settle()
    after = world.get("serviceaccounts", "default")
    assert after is not None
    assert after.metadata.uid != before.metadata.uid
