from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.objects import readiness
from holdfast.control.controllers.deployments import Deployments, revisions
from holdfast.control.controllers.garbage import Garbage
from holdfast.control.controllers.replicasets import ReplicaSets
from tests.control.controllers.world import World, deployment, replica_set, sizes, template

RESOURCE = "deployments.apps"
SETS = "replicasets.apps"


def image(value: str) -> Any:
    return lambda each: setattr(each.spec.template.spec.containers[0], "image", value)


def replicas(value: int) -> Any:
    return lambda each: setattr(each.spec, "replicas", value)


def condition(world: World, kind: str) -> tuple[str, str]:
    found = readiness.condition(world.get(RESOURCE, "web").status.conditions, kind)
    return (found.status, found.reason) if found is not None else ("", "")


async def rolled_out(world: World, **spec: Any) -> None:
    world.start(Deployments(), ReplicaSets(), Garbage())
    await world.create(RESOURCE, deployment(**spec))
    await world.settle()


async def test_rolls_out_its_first_set(world: World) -> None:
    await rolled_out(world)
    (made,) = world.all(SETS)
    digest = made.metadata.labels.get("pod-template-hash")
    assert made.metadata.name == f"web-{digest}"
    assert made.spec.selector.matchLabels.get("pod-template-hash") == digest
    assert all(p.metadata.labels.get("pod-template-hash") == digest for p in world.all("pods"))
    status = world.get(RESOURCE, "web").status
    assert (status.replicas, status.updatedReplicas, status.availableReplicas) == (3, 3, 3)
    assert (status.unavailableReplicas, status.observedGeneration) == (0, 1)
    assert condition(world, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(world, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert revisions.revision(world.get(RESOURCE, "web")) == 1
    scaled = [message for reason, message in world.told if reason == "ScalingReplicaSet"]
    assert scaled == [f"Scaled up replica set {made.metadata.name} from 0 to 3"]


@pytest.mark.parametrize("seed", range(12))
async def test_rolling_update_keeps_its_bounds(seed: int) -> None:
    world = await World(seed).boot()
    await world.node()
    await rolled_out(world, replicas=8)
    await world.change(RESOURCE, "web", image("web:2"))

    def bounds() -> None:
        asked = sum(sizes(world).values())
        ready = sum(readiness.pod_ready(p) and readiness.pod_active(p) for p in world.all("pods"))
        assert asked <= 8 + 2, "maxSurge 25 %"
        assert ready >= 8 - 2, "maxUnavailable 25 %"

    await world.settle(check=bounds)
    assert {p.spec.containers[0].image for p in world.all("pods")} == {"web:2"}
    assert len(sizes(world)) == 1
    assert len(world.all(SETS)) == 2
    assert revisions.revision(world.get(RESOURCE, "web")) == 2


async def test_recreate_ends_the_old_pods_first(world: World) -> None:
    await rolled_out(world, strategy={"type": "Recreate"})
    await world.change(RESOURCE, "web", image("web:2"))

    def never_both() -> None:
        assert len({p.spec.containers[0].image for p in world.all("pods")}) <= 1

    await world.settle(check=never_both)
    assert [p.spec.containers[0].image for p in world.all("pods")] == ["web:2"] * 3


async def test_going_back_to_an_old_template_takes_its_set_again(world: World) -> None:
    await rolled_out(world)
    (first,) = sizes(world)
    await world.change(RESOURCE, "web", image("web:2"))
    await world.settle()
    await world.change(RESOURCE, "web", image("web:1"))
    await world.settle()
    assert list(sizes(world)) == [first]
    again = world.get(SETS, first)
    assert revisions.revision(again) == 3
    assert again.metadata.annotations.get(revisions.HISTORY) == "1"
    assert revisions.revision(world.get(RESOURCE, "web")) == 3


@pytest.mark.parametrize("moment", range(6))
async def test_what_a_user_writes_between_a_decision_and_its_commit_stays(
    world: World, moment: int
) -> None:
    decisions = 0

    async def scale_once() -> None:
        nonlocal decisions
        decisions += 1
        if decisions == moment + 1:
            await world.change(RESOURCE, "web", replicas(5))

    world.meanwhile = scale_once
    await rolled_out(world)
    assert decisions > moment
    assert world.get(RESOURCE, "web").spec.replicas == len(world.all("pods")) == 5


async def test_a_paused_one_scales_but_does_not_roll(world: World) -> None:
    await rolled_out(world)
    await world.change(RESOURCE, "web", lambda each: setattr(each.spec, "paused", True))
    await world.change(RESOURCE, "web", image("web:2"))
    await world.change(RESOURCE, "web", replicas(5))
    await world.settle()
    assert list(sizes(world).values()) == [5]
    assert {p.spec.containers[0].image for p in world.all("pods")} == {"web:1"}
    assert condition(world, "Progressing") == ("Unknown", "DeploymentPaused")
    await world.change(RESOURCE, "web", lambda each: each.spec.ClearField("paused"))
    await world.settle()
    assert {p.spec.containers[0].image for p in world.all("pods")} == {"web:2"}
    assert condition(world, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_scaling_in_mid_rollout_is_proportional(world: World) -> None:
    await rolled_out(world, replicas=10, strategy={
        "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}
    })  # fmt: skip
    await world.change(RESOURCE, "web", image("broken"))
    await world.settle()
    assert sorted(sizes(world).values()) == [5, 8]
    await world.change(RESOURCE, "web", replicas(15))
    await world.settle()
    assert sorted(sizes(world).values()) == [7, 11]


async def test_a_rollout_that_is_stuck_says_so_in_time(world: World) -> None:
    await rolled_out(world, progressDeadlineSeconds=60)
    await world.change(RESOURCE, "web", image("broken"))
    await world.settle()
    assert condition(world, "Progressing") == ("True", "ReplicaSetUpdated")
    await world.wait(59)
    assert condition(world, "Progressing") == ("True", "ReplicaSetUpdated")
    await world.wait(2)
    assert condition(world, "Progressing") == ("False", "ProgressDeadlineExceeded")
    await world.change(RESOURCE, "web", image("web:3"))
    await world.settle()
    assert condition(world, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_old_sets_beyond_the_limit_go(world: World) -> None:
    await rolled_out(world, revisionHistoryLimit=2)
    for number in range(2, 7):
        world.now += 1
        await world.change(RESOURCE, "web", image(f"web:{number}"))
        await world.settle()
    found = sorted(revisions.revision(each) for each in world.all(SETS))
    assert found == [4, 5, 6]


async def test_a_foreign_set_of_its_name_makes_it_take_another(world: World) -> None:
    made = await world.create(RESOURCE, deployment())
    taken = revisions.name_of(made)
    other = replica_set(taken, 0, selector={"matchLabels": {"app": "x"}})
    other["spec"]["template"] = template("x:1", app="x")
    await world.create(SETS, other)
    world.start(Deployments(), ReplicaSets())
    await world.settle()
    assert world.get(RESOURCE, "web").status.collisionCount == 1
    assert taken not in sizes(world)
    assert list(sizes(world).values()) == [3]


async def test_it_adopts_a_set_that_matches(world: World) -> None:
    await rolled_out(world)
    (name,) = sizes(world)
    await world.change(SETS, name, lambda each: each.metadata.ClearField("ownerReferences"))
    await world.settle()
    assert world.get(SETS, name).metadata.ownerReferences[0].name == "web"
    assert len(world.all(SETS)) == 1


async def test_deleting_it_takes_everything_along(world: World) -> None:
    await rolled_out(world)
    await world.delete(RESOURCE, "web")
    await world.settle()
    assert world.all(SETS) == world.all("pods") == []
