from __future__ import annotations

from typing import Any

from holdfast.control.controllers.endpointslices import EndpointSlices
from tests.control.controllers.world import World, pod

RESOURCE = "endpointslices.discovery.k8s.io"


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080}]
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


async def there(world: World, number: int = 3, **spec: Any) -> None:
    world.start(EndpointSlices())
    await world.create("services", service(**spec))
    for index in range(number):
        await world.create("pods", pod(f"p{index}"))
    await world.settle()


def state(world: World) -> dict[str, tuple[bool, bool, bool]]:
    """Pod → (ready, serving, terminating)."""
    return {
        e.targetRef.name: (e.conditions.ready, e.conditions.serving, e.conditions.terminating)
        for found in world.all(RESOURCE)
        for e in found.endpoints
    }


async def test_lists_the_pods_behind_a_service(world: World) -> None:
    await there(world)
    (found,) = world.all(RESOURCE)
    assert found.metadata.name.startswith("web-")
    assert dict(found.metadata.labels) == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert found.metadata.ownerReferences[0].kind == "Service"
    assert [(p.port, p.protocol) for p in found.ports] == [(8080, "TCP")]
    assert found.addressType == "IPv4"
    assert state(world) == dict.fromkeys(("p0", "p1", "p2"), (True, True, False))
    first = found.endpoints[0]
    assert first.nodeName == "n1"
    assert first.addresses[0] == world.get("pods", first.targetRef.name).status.podIP


async def test_follows_readiness_and_the_end_of_a_pod(world: World) -> None:
    await there(world)
    entry = world.cache.get("pods", "default", "p0")
    assert entry is not None
    await world.do(world.running(entry, ready="False"))
    await world.delete("pods", "p1")
    await world.settle(agents=False)
    assert state(world) == {
        "p0": (False, False, False),
        "p1": (False, True, True),
        "p2": (True, True, False),
    }
    await world.settle()
    assert list(state(world)) == ["p0", "p2"]


async def test_a_changed_selector_and_label_count_at_once(world: World) -> None:
    await there(world)
    await world.change("pods", "p0", lambda p: p.metadata.labels.update({"app": "other"}))
    await world.settle()
    assert sorted(state(world)) == ["p1", "p2"]
    await world.change("services", "web", lambda s: s.spec.selector.update({"app": "other"}))
    await world.settle()
    assert sorted(state(world)) == ["p0"]


async def test_named_ports_are_those_of_each_pod(world: World) -> None:
    world.start(EndpointSlices())
    ports = [{"port": 80, "targetPort": "http"}]
    await world.create("services", service(ports=ports))
    for name, number in (("p0", 8080), ("p1", 9090)):
        tree = pod(name)
        tree["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": number}]
        await world.create("pods", tree)
    await world.settle()
    found = {e.endpoints[0].targetRef.name: e.ports[0].port for e in world.all(RESOURCE)}
    assert found == {"p0": 8080, "p1": 9090}


async def test_not_ready_addresses_can_be_published(world: World) -> None:
    await there(world, 1, publishNotReadyAddresses=True, clusterIP="None")
    entry = world.cache.get("pods", "default", "p0")
    assert entry is not None
    await world.do(world.running(entry, ready="False"))
    await world.settle()
    assert state(world) == {"p0": (True, False, False)}
    (found,) = world.all(RESOURCE)
    assert found.metadata.labels.get("service.kubernetes.io/headless") == ""


async def test_a_service_without_selector_is_left_alone(world: World) -> None:
    await there(world, 2, selector={})
    assert not world.all(RESOURCE)


async def test_a_deleted_slice_or_service_is_noticed(world: World) -> None:
    await there(world)
    await world.delete(RESOURCE, world.all(RESOURCE)[0].metadata.name)
    await world.settle()
    assert len(state(world)) == 3
    await world.delete("services", "web")
    await world.settle()
    assert not world.all(RESOURCE)


async def test_an_unrelated_change_of_a_pod_writes_nothing(world: World) -> None:
    await there(world)
    before = [each.revision for each in world.cache.list(RESOURCE)]
    await world.change("pods", "p0", lambda p: p.metadata.annotations.update({"a": "b"}))
    await world.settle()
    assert [each.revision for each in world.cache.list(RESOURCE)] == before
