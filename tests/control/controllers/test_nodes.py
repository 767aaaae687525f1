from __future__ import annotations

from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import readiness
from holdfast.control.controllers.nodes import NodeLifecycle
from holdfast.control.controllers.replicasets import ReplicaSets
from tests.control.controllers.world import World, pod, replica_set

UNREACHABLE = "node.kubernetes.io/unreachable"


async def running(world: World, *pods: dict[str, Any]) -> None:
    world.start(NodeLifecycle(), ReplicaSets())
    for tree in pods:
        await world.create("pods", tree)
    await world.create("replicasets.apps", replica_set(replicas=2))
    await world.settle()


async def die(world: World, name: str = "n1") -> None:
    """What `sessions` writes when a node fell silent."""
    await world.ready(name, "Unknown")

    def taint(node: core.Node) -> None:
        for effect in ("NoSchedule", "NoExecute"):
            node.spec.taints.add(key=UNREACHABLE, effect=effect).timeAdded.seconds = int(world.now)

    await world.change("nodes", name, taint)


def taints(world: World, name: str = "n1") -> list[tuple[str, str]]:
    return [
        (each.key.removeprefix("node.kubernetes.io/"), each.effect)
        for each in world.get("nodes", name).spec.taints
    ]


async def test_a_node_is_tainted_as_it_reports(world: World) -> None:
    world.start(NodeLifecycle())
    await world.create("nodes", {"metadata": {"name": "n2"}})
    await world.settle()
    assert taints(world, "n2") == [("not-ready", "NoSchedule")]
    await world.ready("n2", "False")
    await world.settle()
    assert taints(world, "n2") == [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]
    await world.ready("n2", "True")
    await world.change("nodes", "n2", lambda n: setattr(n.spec, "unschedulable", True))
    await world.settle()
    assert taints(world, "n2") == [("unschedulable", "NoSchedule")]


async def test_pods_of_a_dead_node_are_replaced_at_once(world: World) -> None:
    await running(world)
    before = {each.metadata.name for each in world.all("pods")}
    await die(world)
    await world.settle(agents=False)
    after = world.all("pods")
    assert len(after) == 2
    assert before.isdisjoint(each.metadata.name for each in after)
    assert not any(each.spec.nodeName for each in after)


async def test_what_nothing_replaces_waits_and_gets_no_traffic(world: World) -> None:
    await running(world, pod("bare", {"app": "bare"}))
    await die(world)
    await world.settle(agents=False)
    assert not readiness.pod_ready(world.get("pods", "bare"))
    assert not world.get("pods", "bare").metadata.HasField("deletionTimestamp")
    world.now += 300
    world.start(NodeLifecycle())
    await world.settle(agents=False)
    assert world.get("pods", "bare").metadata.HasField("deletionTimestamp")


async def test_tolerations_are_honoured(world: World) -> None:
    toleration = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}
    for_ever = pod("ever", {"app": "ever"}, tolerations=[toleration])
    a_minute = pod("minute", {"app": "m"}, tolerations=[{**toleration, "tolerationSeconds": 60}])
    await running(world, for_ever, a_minute)
    await die(world)
    await world.settle()
    assert world.get("pods", "minute") is not None
    await world.wait(61)
    assert world.get("pods", "minute").metadata.HasField("deletionTimestamp")
    await world.wait(10_000)
    assert world.get("pods", "ever") is not None


async def test_a_node_that_comes_back_keeps_what_tolerated(world: World) -> None:
    await running(world, pod("bare", {"app": "bare"}))
    await die(world)
    await world.settle(agents=False)
    await world.change("nodes", "n1", lambda n: n.spec.ClearField("taints"))
    await world.ready("n1", "True")
    await world.wait(1000)
    assert world.get("pods", "bare") is not None


async def test_the_pods_of_a_node_that_is_gone_go_too(world: World) -> None:
    await running(world, pod("bare", {"app": "bare"}), pod("early", {"app": "e"}, nodeName="n9"))
    await world.delete("nodes", "n1")
    await world.settle(agents=False)
    assert world.get("pods", "bare") is not None, "young pods wait for their node to appear"
    await world.wait(41)
    assert world.get("pods", "bare") is None
    assert world.get("pods", "early") is None
