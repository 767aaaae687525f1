"""What a write makes of an object: identity, generation, managers, no-ops, preconditions."""

from __future__ import annotations

import asyncio
import re

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry import Done, Intent, Verb
from tests.control.registry.world import (
    START,
    World,
    config_map,
    deployment,
    pod,
)


async def test_a_new_object_gets_its_identity(there: World) -> None:
    sent = config_map()
    sent.metadata.uid = "mine"
    sent.metadata.generation = 40
    sent.metadata.deletionTimestamp.seconds = 1
    entry = await there.create("configmaps", sent, field_manager="kubectl")
    meta = entry.message.metadata
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", meta.uid
    )
    assert meta.creationTimestamp.seconds == int(START)
    assert not meta.HasField("deletionTimestamp")
    assert not meta.HasField("generation"), "a kind without spec has none"
    assert [(m.manager, m.operation, m.apiVersion) for m in meta.managedFields] == [
        ("kubectl", "Update", "v1")
    ]
    assert entry.message.metadata.resourceVersion == "", "never inside stored bytes"


async def test_the_caller_is_the_manager_when_it_names_none(there: World) -> None:
    entry = await there.create("configmaps", config_map())
    assert [m.manager for m in entry.message.metadata.managedFields] == ["admin"]


async def test_generation_counts_changes_of_spec_only(there: World) -> None:
    created = await there.create("deployments.apps", deployment())
    assert created.message.metadata.generation == 1
    labelled = there.copy("deployments.apps", "web")
    labelled.metadata.labels["tier"] = "front"
    assert (await there.update("deployments.apps", labelled)).message.metadata.generation == 1
    scaled = there.copy("deployments.apps", "web")
    scaled.spec.replicas = 5
    assert (await there.update("deployments.apps", scaled)).message.metadata.generation == 2
    status = there.copy("deployments.apps", "web")
    status.status.replicas = 5
    after = await there.update("deployments.apps", status, "status")
    assert after.message.metadata.generation == 2


async def test_an_unchanged_update_writes_nothing(there: World) -> None:
    created = await there.create("configmaps", config_map())
    before = there.engine.revision
    there.now += 100
    again = await there.update("configmaps", config_map())
    assert again.revision == created.revision
    assert there.engine.revision == before


async def test_an_update_cannot_touch_what_the_system_owns(there: World) -> None:
    created = await there.create("deployments.apps", deployment())
    sent = deployment(replicas=4)
    sent.metadata.creationTimestamp.seconds = 5
    sent.metadata.generation = 99
    sent.status.replicas = 77
    after = (await there.update("deployments.apps", sent)).message
    assert after.metadata.uid == created.message.metadata.uid
    assert after.metadata.creationTimestamp.seconds == int(START)
    assert after.metadata.generation == 2
    assert after.status.replicas == 0


async def test_a_status_write_takes_only_the_status(there: World) -> None:
    await there.create("deployments.apps", deployment())
    sent = there.copy("deployments.apps", "web")
    sent.spec.replicas = 50
    sent.metadata.labels["x"] = "y"
    sent.status.readyReplicas = 2
    after = (await there.update("deployments.apps", sent, "status")).message
    assert (after.spec.replicas, after.status.readyReplicas) == (3, 2)
    assert "x" not in after.metadata.labels
    managers = [(m.manager, m.subresource) for m in after.metadata.managedFields]
    assert managers == [("admin", ""), ("admin", "status")]
    before = there.engine.revision
    await there.update("deployments.apps", there.copy("deployments.apps", "web"), "status")
    assert there.engine.revision == before


async def test_names_are_generated(there: World) -> None:
    first = await there.create("pods", pod(generate="web-"))
    second = await there.create("pods", pod(generate="web-"))
    names = [first.key.name, second.key.name]
    assert all(re.fullmatch(r"web-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
    assert names[0] != names[1]
    assert first.message.metadata.generateName == "web-"


@pytest.mark.parametrize("sole", [False, True])
async def test_a_generated_name_that_is_taken_is_drawn_again(there: World, sole: bool) -> None:
    async def drawn(seed: int) -> core.ConfigMap:
        there.seed = seed
        there.__post_init__()
        generated = config_map()
        generated.metadata.ClearField("name")
        generated.metadata.generateName = "c-"
        entry = await there.one(
            Intent(Verb.CREATE, "configmaps", "", "", generated, sole=sole), field_manager="me"
        )
        assert entry is not None
        return entry.message

    first, second = await drawn(3), await drawn(3)
    assert first.metadata.name != second.metadata.name
    assert first.metadata.uid != second.metadata.uid
    assert [entry.manager for entry in second.metadata.managedFields] == ["me"]


async def test_the_cache_keeps_the_message_that_was_stored(there: World) -> None:
    sent = config_map()
    entry = await there.one(Intent(Verb.CREATE, "configmaps", "", "", sent, sole=True))
    assert entry is not None
    assert entry.message is sent
    again = Intent(Verb.CREATE, "configmaps", "", "", config_map(key="other"), sole=True)
    with pytest.raises(ApiError, match="already exists"):
        await there.one(again)
    assert there.get("configmaps", "settings") is sent


async def test_a_message_that_others_may_use_is_copied(there: World) -> None:
    sent = config_map()
    entry = await there.create("configmaps", sent)
    assert entry.message is not sent
    assert not sent.metadata.uid


async def test_pods_of_one_order_differ_in_name_and_uid_alone(there: World) -> None:
    order = Intent(Verb.CREATE, "pods", "default", "", pod(generate="web-"))
    answers = await there.commit(*[order] * 4)
    made = [there.copy("pods", one.entry.key.name) for one in answers if isinstance(one, Done)]
    assert len({one.metadata.name for one in made}) == len({one.metadata.uid for one in made}) == 4
    for one in made:
        one.metadata.ClearField("name")
        one.metadata.ClearField("uid")
    assert all(one == made[0] for one in made)


@pytest.mark.parametrize("how", ["message", "intent"])
async def test_a_stale_revision_is_a_conflict_and_changes_nothing(there: World, how: str) -> None:
    old = await there.create("configmaps", config_map())
    await there.update("configmaps", config_map(key="second"))
    sent = config_map(key="third")
    intent = Intent(Verb.UPDATE, "configmaps", "default", "settings", sent)
    if how == "message":
        sent.metadata.resourceVersion = str(old.revision)
    else:
        intent = Intent(
            Verb.UPDATE, "configmaps", "default", "settings", sent, expect_revision=old.revision
        )
    with pytest.raises(ApiError, match="the object has been modified") as refused:
        await there.one(intent)
    assert refused.value.reason is Reason.CONFLICT
    assert there.get("configmaps", "settings").data.get("key") == "second"


async def test_writers_without_a_precondition_never_see_a_conflict(there: World) -> None:
    await there.create("deployments.apps", deployment())

    async def label(number: int) -> None:
        sent = deployment(replicas=number)
        await there.update("deployments.apps", sent)

    async def report(number: int) -> None:
        sent = deployment()
        sent.status.replicas = number
        await there.update("deployments.apps", sent, "status")

    await asyncio.gather(*(label(n) for n in (1, 2)), *(report(n) for n in (1, 2)))
    after = there.get("deployments.apps", "web")
    assert after.spec.replicas in (1, 2)
    assert after.status.replicas in (1, 2)


async def test_another_incarnation_is_a_conflict(there: World) -> None:
    await there.create("configmaps", config_map())
    intent = Intent(Verb.UPDATE, "configmaps", "default", "settings", config_map(), uid="other")
    with pytest.raises(ApiError, match="uid in the precondition"):
        await there.one(intent)


async def test_a_batch_answers_each_write_alone_and_in_order(there: World) -> None:
    create = Intent(Verb.CREATE, "configmaps", "", "", config_map("a"))
    update = Intent(Verb.UPDATE, "configmaps", "default", "a", config_map("a", key="new"))
    absent = Intent(Verb.DELETE, "configmaps", "default", "b")
    other = Intent(Verb.CREATE, "configmaps", "", "", config_map("c"))
    answers = await there.commit(create, update, absent, other, create)
    kinds = [a.reason if isinstance(a, ApiError) else "done" for a in answers]
    assert kinds == ["done", "done", Reason.NOT_FOUND, "done", Reason.ALREADY_EXISTS]
    assert there.get("configmaps", "a").data.get("key") == "new"


async def test_an_atomic_commit_happens_whole_or_not_at_all(there: World) -> None:
    await there.create("configmaps", config_map("taken"))
    both = [Intent(Verb.CREATE, "configmaps", "", "", config_map(n)) for n in ("new", "taken")]
    answers = await there.commit(*both, atomic=True)
    assert [getattr(a, "reason", None) for a in answers] == [Reason.ALREADY_EXISTS] * 2
    assert there.get("configmaps", "new") is None
    answers = await there.commit(both[0], atomic=True)
    assert isinstance(answers[0], Done)
    twice = await there.commit(
        *(Intent(Verb.CREATE, "configmaps", "", "", config_map("z")) for _ in range(2)), atomic=True
    )
    assert all(isinstance(a, ApiError) and a.reason is Reason.BAD_REQUEST for a in twice)
    bad = Intent(Verb.CREATE, "configmaps", "", "", config_map("Bad Name"))
    answers = await there.commit(
        Intent(Verb.CREATE, "configmaps", "", "", config_map("fine")), bad, atomic=True
    )
    assert all(isinstance(a, ApiError) and a.reason is Reason.INVALID for a in answers)
    assert there.get("configmaps", "fine") is None


async def test_a_repeated_atomic_commit_happens_once(there: World) -> None:
    await there.create("configmaps", config_map("old"))
    intents = [
        Intent(Verb.CREATE, "configmaps", "", "", config_map("new")),
        Intent(Verb.UPDATE, "configmaps", "default", "old", config_map("old", key="2")),
        Intent(Verb.UPDATE, "configmaps", "default", "old2", config_map("old2")),
    ]
    await there.create("configmaps", config_map("old2"))
    first = await there.commit(*intents, atomic=True, request_id=b"a" * 16)
    before = there.engine.revision
    again = await there.commit(*intents, atomic=True, request_id=b"a" * 16)
    assert there.engine.revision == before
    assert [a.revision for a in first if isinstance(a, Done)] == [
        a.revision for a in again if isinstance(a, Done)
    ]


async def test_a_dry_run_does_everything_but_write(there: World) -> None:
    before = there.engine.revision
    entry = await there.create("pods", pod(generate="x-"), dry_run=True)
    assert entry.message.spec.restartPolicy == "Always"
    assert there.engine.revision == before
    await there.create("configmaps", config_map())
    with pytest.raises(ApiError, match="already exists"):
        await there.create("configmaps", config_map(), dry_run=True)
    changed = await there.update("configmaps", config_map(key="new"), dry_run=True)
    assert changed.message.data.get("key") == "new"
    assert there.get("configmaps", "settings").data.get("key") == "value"


async def test_a_repeated_request_happens_once(there: World) -> None:
    request_id = bytes(range(16))
    first = await there.create("pods", pod(generate="w-"), request_id=request_id)
    before = there.engine.revision
    again = await there.create("pods", pod(generate="w-"), request_id=request_id)
    assert (again.key, again.revision) == (first.key, first.revision)
    assert there.engine.revision == before


async def test_a_repeated_batch_gets_its_first_answers(there: World) -> None:
    request_id = bytes(16)[:-1] + b"\x01"
    await there.create("configmaps", config_map("old"))
    intents = [
        Intent(Verb.CREATE, "configmaps", "", "", config_map("new")),
        Intent(Verb.UPDATE, "configmaps", "default", "old", config_map("old", key="2")),
        Intent(Verb.UPDATE, "configmaps", "default", "none", config_map("none")),
        Intent(Verb.DELETE, "configmaps", "default", "old"),
    ]
    first = await there.commit(*intents, request_id=request_id)
    before = there.engine.revision
    again = await there.commit(*intents, request_id=request_id)
    assert there.engine.revision == before

    def told(answers: list[Done | ApiError]) -> list[object]:
        return [a.reason if isinstance(a, ApiError) else a.revision for a in answers]

    assert told(again) == told(first)


async def test_an_update_with_a_revision_may_be_repeated(there: World) -> None:
    created = await there.create("configmaps", config_map())
    request_id = b"r" * 16
    sent = config_map(key="2")
    sent.metadata.resourceVersion = str(created.revision)
    first = await there.update("configmaps", sent, request_id=request_id)
    again = await there.update("configmaps", sent, request_id=request_id)
    assert again.revision == first.revision
    with pytest.raises(ApiError, match="modified"):
        await there.update("configmaps", sent, request_id=b"s" * 16)


async def test_managers_are_bounded(there: World) -> None:
    await there.create("configmaps", config_map())
    for number in range(15):
        there.now += 1
        changed = config_map(key=str(number))
        await there.update("configmaps", changed, field_manager=f"m{number}")
    managers = [m.manager for m in there.get("configmaps", "settings").metadata.managedFields]
    assert len(managers) == 10
    assert managers[-1] == "m14"


async def test_large_batches_give_way_to_others(there: World) -> None:
    slept = 0

    async def other() -> None:
        nonlocal slept
        while True:
            await asyncio.sleep(0)
            slept += 1

    task = asyncio.create_task(other())
    many = [Intent(Verb.CREATE, "configmaps", "", "", config_map(f"c{n}")) for n in range(3000)]
    answers = await there.commit(*many)
    task.cancel()
    assert all(isinstance(answer, Done) for answer in answers)
    assert slept > 5
