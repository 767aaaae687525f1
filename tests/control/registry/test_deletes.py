"""Deletes: grace, finalizers, propagation, preconditions, namespaces."""

from __future__ import annotations

import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry import Intent, Propagation, Verb
from tests.control.registry.world import (
    START,
    World,
    config_map,
    deployment,
    namespace,
    node,
    pod,
)


async def bound_pod(there: World, grace_s: int = 30) -> None:
    sent = pod("p", node="n1")
    sent.spec.terminationGracePeriodSeconds = grace_s
    await there.create("pods", sent)


async def test_a_bound_pod_waits_for_its_node(there: World) -> None:
    await bound_pod(there, grace_s=20)
    marked = await there.delete("pods", "p")
    meta = marked.message.metadata
    assert meta.deletionTimestamp.seconds == int(START) + 20
    assert meta.deletionGracePeriodSeconds == 20
    before = there.engine.revision
    await there.delete("pods", "p")
    assert there.engine.revision == before, "deleting it again changes nothing"
    await there.delete("pods", "p", grace_period_s=0)
    assert there.get("pods", "p") is None


async def test_a_grace_may_be_shortened_not_lengthened(there: World) -> None:
    await bound_pod(there, grace_s=20)
    await there.delete("pods", "p")
    await there.delete("pods", "p", grace_period_s=100)
    assert there.get("pods", "p").metadata.deletionGracePeriodSeconds == 20
    await there.delete("pods", "p", grace_period_s=5)
    meta = there.get("pods", "p").metadata
    assert meta.deletionGracePeriodSeconds == 5
    assert meta.deletionTimestamp.seconds == int(START) + 5


@pytest.mark.parametrize("phase", ["", "Succeeded", "Failed"])
async def test_a_pod_that_does_not_run_goes_at_once(there: World, phase: str) -> None:
    await there.create("pods", pod("p", node="n1" if phase else ""))
    if phase:
        done = there.copy("pods", "p")
        done.status.phase = phase
        await there.update("pods", done, "status")
    await there.delete("pods", "p")
    assert there.get("pods", "p") is None


async def test_finalizers_hold_an_object(there: World) -> None:
    sent = config_map()
    sent.metadata.finalizers.append("example.com/wait")
    await there.create("configmaps", sent)
    await there.delete("configmaps", "settings")
    held = there.copy("configmaps", "settings")
    assert held.metadata.deletionTimestamp.seconds == int(START)
    held.metadata.finalizers.append("example.com/more")
    with pytest.raises(ApiError, match="no new finalizers"):
        await there.update("configmaps", held)
    del held.metadata.finalizers[:]
    await there.update("configmaps", held)
    assert there.get("configmaps", "settings") is None


async def test_a_pod_with_finalizers_waits_for_both(there: World) -> None:
    sent = pod("p", node="n1")
    sent.metadata.finalizers.append("example.com/wait")
    await there.create("pods", sent)
    await there.delete("pods", "p")
    free = there.copy("pods", "p")
    del free.metadata.finalizers[:]
    await there.update("pods", free)
    assert there.get("pods", "p") is not None, "its node has not stopped it"
    await there.delete("pods", "p", grace_period_s=0)
    assert there.get("pods", "p") is None


@pytest.mark.parametrize(
    ("propagation", "finalizer"),
    [(Propagation.FOREGROUND, "foregroundDeletion"), (Propagation.ORPHAN, "orphan")],
)
async def test_the_collector_is_asked_by_a_finalizer(
    there: World, propagation: Propagation, finalizer: str
) -> None:
    await there.create("deployments.apps", deployment())
    await there.delete("deployments.apps", "web", propagation=propagation)
    marked = there.get("deployments.apps", "web").metadata
    assert list(marked.finalizers) == [finalizer]
    assert marked.HasField("deletionTimestamp")
    assert marked.generation == 2
    await there.delete("deployments.apps", "web", propagation=Propagation.BACKGROUND)
    assert there.get("deployments.apps", "web") is None


async def test_preconditions(there: World) -> None:
    created = await there.create("configmaps", config_map())
    with pytest.raises(ApiError, match="uid in the precondition"):
        await there.delete("configmaps", "settings", uid="another")
    with pytest.raises(ApiError, match="modified"):
        await there.delete("configmaps", "settings", expect_revision=created.revision + 1)
    with pytest.raises(ApiError, match="must not be negative"):
        await there.delete("configmaps", "settings", grace_period_s=-1)
    uid = created.message.metadata.uid
    await there.delete("configmaps", "settings", uid=uid, expect_revision=created.revision)
    with pytest.raises(ApiError) as refused:
        await there.delete("configmaps", "settings")
    assert refused.value.reason is Reason.NOT_FOUND


async def test_a_dry_delete_deletes_nothing(there: World) -> None:
    await there.create("configmaps", config_map())
    await there.one(Intent(Verb.DELETE, "configmaps", "default", "settings"), dry_run=True)
    assert there.get("configmaps", "settings") is not None


async def test_a_namespace_ends_in_two_steps(there: World) -> None:
    await there.create("namespaces", namespace())
    inside = config_map()
    inside.metadata.namespace = "team"
    await there.create("configmaps", inside)
    await there.delete("namespaces", "team", "")
    assert there.get("namespaces", "team", "").status.phase == "Terminating"
    inside.metadata.name = "late"
    with pytest.raises(ApiError, match="because it is being terminated") as refused:
        await there.create("configmaps", inside)
    assert refused.value.reason is Reason.FORBIDDEN
    final = there.copy("namespaces", "team", "")
    del final.spec.finalizers[:]
    with pytest.raises(ApiError, match="still holds configmaps"):
        await there.update("namespaces", final, "finalize")
    await there.delete("configmaps", "settings", "team")
    await there.update("namespaces", final, "finalize")
    assert there.get("namespaces", "team", "") is None


async def test_a_namespace_is_not_removed_under_a_create(there: World) -> None:
    await there.create("namespaces", namespace())
    await there.delete("namespaces", "team", "")
    there.registry._creating["team"] = 1
    final = there.copy("namespaces", "team", "")
    del final.spec.finalizers[:]
    with pytest.raises(ApiError, match="just being created"):
        await there.update("namespaces", final, "finalize")
    del there.registry._creating["team"]
    await there.update("namespaces", final, "finalize")
    assert there.get("namespaces", "team", "") is None


async def test_finalizers_of_a_namespace_change_only_through_finalize(there: World) -> None:
    await there.create("namespaces", namespace())
    sent = there.copy("namespaces", "team", "")
    del sent.spec.finalizers[:]
    await there.update("namespaces", sent)
    assert list(there.get("namespaces", "team", "").spec.finalizers) == ["kubernetes"]


async def test_the_clusters_own_namespaces_stay(there: World) -> None:
    for name in ("default", "kube-system"):
        with pytest.raises(ApiError, match="may not be deleted"):
            await there.delete("namespaces", name, "")


async def test_binding(there: World) -> None:
    await there.create("nodes", node())
    await there.create("pods", pod("p"))

    def bind(to: str) -> Intent:
        return Intent(Verb.UPDATE, "pods", "default", "p", pod(node=to), "binding")

    with pytest.raises(ApiError, match='nodes "gone" not found'):
        await there.one(bind("gone"))
    await there.one(bind("n1"))
    after = there.get("pods", "p")
    assert after.spec.nodeName == "n1"
    assert [(c.type, c.status) for c in after.status.conditions] == [("PodScheduled", "True")]
    with pytest.raises(ApiError, match='already bound to node "n1"'):
        await there.one(bind("n1"))
    before = there.engine.revision
    await there.update("pods", pod("p"))
    assert there.engine.revision == before, "the manifest it came from applies again"
    waiting = pod("r")
    waiting.metadata.finalizers.append("example.com/wait")
    await there.create("pods", waiting)
    await there.delete("pods", "r")
    with pytest.raises(ApiError, match="being deleted"):
        await there.one(Intent(Verb.UPDATE, "pods", "default", "r", pod(node="n1"), "binding"))
