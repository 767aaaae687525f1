"""The Resources service through the real client, on a real server."""

from __future__ import annotations

import asyncio
import gc
import json

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as wire
from grpc_reflection.v1alpha import reflection_pb2_grpc as stubs

from holdfast.api.autoscaling.v1 import autoscaling_pb2 as autoscaling
from holdfast.api.client import Client, Endpoint, EventType, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry import Intent
from holdfast.control.registry.drafts import Draft
from holdfast.control.rpc.objects import paging
from holdfast.control.rpc.server import Listener, ListenError, serve
from tests.control.registry.world import config_map, deployment, node, pod
from tests.control.rpc.serving import Site


async def test_an_objects_life(at: Site) -> None:
    created = await at.client.create("configmaps", config_map())
    assert created.metadata.uid
    assert int(created.metadata.resourceVersion) == at.world.engine.revision
    got = await at.client.get("configmaps", "settings", "default")
    assert got == created
    got.data["key"] = "new"
    updated = await at.client.update("configmaps", got)
    assert updated.metadata.resourceVersion != created.metadata.resourceVersion
    with pytest.raises(ApiError, match="modified") as refused:
        await at.client.update("configmaps", got)
    assert refused.value.reason is Reason.CONFLICT
    await at.client.delete("configmaps", "settings", "default", uid=created.metadata.uid)
    with pytest.raises(ApiError, match='configmaps "settings" not found') as gone:
        await at.client.get("configmaps", "settings", "default")
    assert (gone.value.reason, gone.value.name) == (Reason.NOT_FOUND, "settings")


async def test_a_refusal_leaves_nothing_to_the_garbage_collector(at: Site) -> None:
    await at.client.create("configmaps", config_map())
    gc.collect()
    gc.disable()
    try:
        for wrong in (config_map(), config_map("Wrong_Name")):
            with pytest.raises(ApiError):
                await at.client.create("configmaps", wrong)
        with pytest.raises(ApiError):
            await at.client.patch("configmaps", "settings", "default", "merge", b'{"x": 1}')
        await asyncio.sleep(0)
        assert not [one for one in gc.get_objects() if isinstance(one, Intent | Draft)]
    finally:
        gc.enable()


async def test_the_manager_of_a_write(at: Site) -> None:
    created = await at.client.managed_by("kubectl-edit").create("configmaps", config_map())
    assert [m.manager for m in created.metadata.managedFields] == ["kubectl-edit"]


async def test_lists_are_read_in_pages_at_one_revision(at: Site) -> None:
    for number in range(25):
        await at.client.create("configmaps", config_map(f"c{number:02}"))
    page = await at.client.list("configmaps", "default", limit=10)
    await at.client.delete("configmaps", "c12", "default")
    await at.client.create("configmaps", config_map("c125"))
    names = [item.metadata.name for item in page.objects]
    revisions = {page.revision}
    while page.continue_token:
        page = await at.client.list(
            "configmaps", "default", limit=10, continue_token=page.continue_token
        )
        names += [item.metadata.name for item in page.objects]
        revisions.add(page.revision)
    assert names == [f"c{number:02}" for number in range(25)]
    assert len(revisions) == 1
    assert all(item.metadata.resourceVersion for item in page.objects)


async def test_lists_by_selector(at: Site) -> None:
    for number in range(6):
        message = config_map(f"c{number}")
        message.metadata.labels["parity"] = "odd" if number % 2 else "even"
        await at.client.create("configmaps", message)
    odd = await at.client.list("configmaps", labels="parity=odd", limit=2)
    rest = await at.client.list(
        "configmaps", labels="parity=odd", limit=2, continue_token=odd.continue_token
    )
    assert [o.metadata.name for o in odd.objects + rest.objects] == ["c1", "c3", "c5"]
    one = await at.client.list("configmaps", fields="metadata.name=c4")
    assert [o.metadata.name for o in one.objects] == ["c4"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"labels": "a=("}, "a=("),
        ({"fields": "spec.foo=1"}, "field label not supported: spec.foo"),
        ({"limit": -1}, "limit must not be negative"),
        ({"continue_token": "bm9uc2Vuc2U="}, "continue_token"),
        ({"continue_token": "§"}, "continue_token"),
        (
            {"continue_token": paging.token_of(paging.Page(1, "pods", "", "", "", -1))},
            "belongs to another list",
        ),
    ],
)
async def test_bad_lists(at: Site, options: dict[str, object], text: str) -> None:
    with pytest.raises(ApiError) as refused:
        await at.client.list("configmaps", **options)  # type: ignore[arg-type]
    assert refused.value.reason is Reason.BAD_REQUEST
    assert text in str(refused.value)


async def test_patches(at: Site) -> None:
    await at.client.create("deployments.apps", deployment())
    merge = json.dumps({"spec": {"replicas": 7}}).encode()
    assert (
        await at.client.patch("deployments.apps", "web", "default", "merge", merge)
    ).spec.replicas == 7
    json_patch = b'[{"op": "replace", "path": "/spec/replicas", "value": 8}]'
    assert (
        await at.client.patch("deployments.apps", "web", "default", "json", json_patch)
    ).spec.replicas == 8
    strategic = json.dumps(
        {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}}}}
    ).encode()
    after = await at.client.patch("deployments.apps", "web", "default", "strategic", strategic)
    assert [c.image for c in after.spec.template.spec.containers] == ["busybox:2"]
    dry = await at.client.patch(
        "deployments.apps", "web", "default", "merge", b'{"spec":{"replicas":1}}', dry_run=True
    )
    assert dry.spec.replicas == 1
    assert at.world.get("deployments.apps", "web").spec.replicas == 8
    scaled = await at.client.patch(
        "deployments.apps", "web", "default", "merge", b'{"spec":{"replicas":2}}',
        subresource="scale",
    )  # fmt: skip
    assert scaled.spec.replicas == 2
    assert at.world.get("deployments.apps", "web").spec.replicas == 2


async def test_patches_at_once_all_happen(at: Site) -> None:
    await at.client.create("configmaps", config_map())

    async def add(number: int) -> None:
        body = json.dumps({"data": {f"k{number}": "v"}}).encode()
        await at.client.patch("configmaps", "settings", "default", "merge", body)

    await asyncio.gather(*(add(number) for number in range(4)))
    assert len(at.world.get("configmaps", "settings").data) == 5


@pytest.mark.parametrize(
    ("kind", "body", "reason", "text"),
    [
        ("merge", b"{", Reason.BAD_REQUEST, "not JSON"),
        ("merge", b"[]", Reason.BAD_REQUEST, "a merge patch is a JSON object"),
        ("json", b"{}", Reason.BAD_REQUEST, "list of operations"),
        ("merge", b'{"data": 5}', Reason.BAD_REQUEST, "data"),
        ("merge", b'{"dta": {}}', Reason.BAD_REQUEST, "dta"),
        ("merge", b'{"kind": "Secret"}', Reason.BAD_REQUEST, "cannot change kind"),
        ("merge", b'{"metadata": {"resourceVersion": "1"}}', Reason.CONFLICT, "resourceVersion 1"),
        ("merge", b'{"metadata": {"name": "other"}}', Reason.BAD_REQUEST, "name"),
        ("merge", b'{"metadata": {"labels": {"a b": "c"}}}', Reason.INVALID, "metadata.labels"),
        ("json", b'[{"op":"test","path":"/data/key","value":"x"}]', Reason.INVALID, "test"),
    ],
)
async def test_bad_patches(at: Site, kind: str, body: bytes, reason: Reason, text: str) -> None:
    await at.client.create("configmaps", config_map())
    before = at.world.engine.revision
    with pytest.raises(ApiError) as refused:
        await at.client.patch("configmaps", "settings", "default", kind, body)
    assert refused.value.reason is reason, refused.value
    assert text in str(refused.value)
    assert at.world.engine.revision == before


async def test_status_scale_and_binding(at: Site) -> None:
    await at.client.create("deployments.apps", deployment())
    scale = await at.client.get("deployments.apps", "web", "default", subresource="scale")
    assert (scale.spec.replicas, scale.status.selector) == (3, "app=web")
    scale.spec.replicas = 4
    after = await at.client.update("deployments.apps", scale, subresource="scale")
    assert isinstance(after, autoscaling.Scale)
    assert after.spec.replicas == 4
    with pytest.raises(ApiError, match="modified"):
        await at.client.update("deployments.apps", scale, subresource="scale")
    await at.client.create("nodes", node())
    await at.client.create("pods", pod("p"))
    binding = core.Binding(target=core.ObjectReference(kind="Node", name="n1"))
    bound = await at.client.create("pods", binding, "default", subresource="binding", name="p")
    assert bound.spec.nodeName == "n1"
    bound.status.phase = "Running"
    assert (await at.client.update("pods", bound, subresource="status")).status.phase == "Running"


async def test_batches(at: Site) -> None:
    await at.client.create("configmaps", config_map("old"))
    generated = config_map("")
    generated.metadata.generateName = "g-"
    outcomes = await at.client.batch(
        [
            Write(WriteVerb.CREATE, "configmaps", config_map("new")),
            Write(WriteVerb.CREATE, "configmaps", generated),
            Write(WriteVerb.UPDATE, "configmaps", config_map("old", key="2")),
            Write(WriteVerb.DELETE, "configmaps", namespace="default", name="none"),
            Write(WriteVerb.CREATE, "statefulsets.apps", core.ConfigMap()),
        ]
    )  # fmt: skip
    assert [bool(outcome.revision) for outcome in outcomes] == [True, True, True, False, False]
    assert outcomes[1].name.startswith("g-")
    reasons = [outcome.error.reason for outcome in outcomes if outcome.error]
    assert reasons == [Reason.NOT_FOUND, Reason.NOT_BUILT]
    writes = [Write(WriteVerb.CREATE, "configmaps", config_map("z"))] * 2
    both = await at.client.batch(writes, atomic=True)
    assert {outcome.error.reason for outcome in both if outcome.error} == {Reason.BAD_REQUEST}
    with pytest.raises(ApiError, match="at most 1000 writes"):
        await at.client.batch(writes * 501)


async def test_delete_collection(at: Site) -> None:
    for number in range(6):
        message = config_map(f"c{number}")
        message.metadata.labels["half"] = str(number // 3)
        await at.client.create("configmaps", message)
    assert await at.client.delete_collection("configmaps", "default", labels="half=1") == 3
    left = await at.client.list("configmaps", "default")
    assert [o.metadata.name for o in left.objects] == ["c0", "c1", "c2"]


async def test_watch_from_the_start_and_on(at: Site) -> None:
    await at.client.create("configmaps", config_map("a"))
    seen: list[tuple[EventType, str]] = []
    async for batch in at.client.watch("configmaps", "default"):
        for event in batch:
            name = event.object.metadata.name if event.object is not None else ""
            if event.object is not None:
                assert int(event.object.metadata.resourceVersion) == event.revision
            seen.append((event.type, name))
            if event.type is EventType.BOOKMARK:
                await at.client.create("configmaps", config_map("b"))
                await at.client.update("configmaps", config_map("a", key="2"))
                await at.client.delete("configmaps", "b", "default")
        if (EventType.DELETED, "b") in seen:
            break
    assert seen == [
        (EventType.ADDED, "a"),
        (EventType.BOOKMARK, ""),
        (EventType.ADDED, "b"),
        (EventType.MODIFIED, "a"),
        (EventType.DELETED, "b"),
    ]


async def test_a_watch_ends_when_its_caller_goes(at: Site) -> None:
    watch = at.client.watch("configmaps")
    await anext(watch)
    assert at.hub.watchers == 1
    await watch.aclose()  # type: ignore[attr-defined]
    for _ in range(100):
        if at.hub.watchers == 0:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the watcher is still there")


async def test_a_node_does_only_what_is_its_own(at: Site) -> None:
    await at.client.create("nodes", node("n1"))
    await at.client.create("nodes", node("n2"))
    await at.client.create("pods", pod("mine", node="n1"))
    await at.client.create("pods", pod("other", node="n2"))
    mine = at.connect("node:n1")
    try:
        listed = await mine.list("pods", fields="spec.nodeName=n1")
        assert [p.metadata.name for p in listed.objects] == ["mine"]
        for call in (
            mine.list("pods"),
            mine.list("pods", fields="spec.nodeName=n2"),
            mine.get("pods", "other", "default"),
            mine.delete("pods", "other", "default", grace_period_s=0),
            mine.patch("pods", "mine", "default", "merge", b"{}"),
            mine.delete_collection("pods", "default", fields="spec.nodeName=n1"),
            anext(mine.watch("pods")),
        ):
            with pytest.raises(ApiError) as refused:
                await call  # type: ignore[misc]
            assert refused.value.reason is Reason.FORBIDDEN
        report, foreign = (at.world.copy("pods", n) for n in ("mine", "other"))
        report.status.phase = "Running"
        await mine.update("pods", report, subresource="status")
        outcomes = await mine.batch(
            [
                Write(WriteVerb.UPDATE, "pods", report, subresource="status"),
                Write(WriteVerb.UPDATE, "pods", foreign, subresource="status"),
                Write(WriteVerb.DELETE, "pods", namespace="default", name="mine", grace_period_s=0),
            ]
        )
        assert [o.error.reason if o.error else None for o in outcomes] == [
            None, Reason.FORBIDDEN, None,
        ]  # fmt: skip
    finally:
        await mine.close()


async def test_who_is_not_known_gets_nothing(at: Site) -> None:
    client = at.connect("nobody")
    for call in (client.status(), client.get("pods", "x", "default"), anext(client.watch("pods"))):
        with pytest.raises(ApiError, match="nobody knows you") as refused:
            await call  # type: ignore[misc]
        assert refused.value.reason is Reason.UNAUTHORIZED
    await client.close()


async def test_status_kinds_health_and_reflection(at: Site) -> None:
    await at.client.create("nodes", node())
    status = await at.client.status()
    assert (status.cluster_id, status.leader, status.nodes) == ("test", "control-1", 1)
    assert status.revision == at.world.engine.revision
    kinds = {kind.resource: kind for kind in await at.client.kinds()}
    assert kinds["deployments.apps"].kind == "Deployment"
    assert "statefulsets.apps" not in kinds
    async with grpc.aio.insecure_channel(at.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        call = stubs.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([wire.ServerReflectionRequest(list_services="")])
        )
        reply = await call.read()
        names = [service.name for service in reply.list_services_response.service]
        assert "holdfast.api.rpc.v1.Resources" in names


async def test_two_control_nodes_cannot_share_a_port(at: Site) -> None:
    first = await serve([Listener("127.0.0.1:0")], [], [])
    with pytest.raises(ListenError, match=f"cannot listen on {first.addresses[0]}"):
        await serve([Listener(first.addresses[0])], [], [])
    await first.stop(0)


async def test_an_unreachable_control_node_is_named() -> None:
    async with Client.connect(Endpoint(("127.0.0.1:1",))) as client:
        with pytest.raises(
            ApiError, match=r"cannot reach the control node at 127\.0\.0\.1:1: "
        ) as e:
            await client.status()
    assert e.value.reason is Reason.UNAVAILABLE
    assert "connection refused" in str(e.value)
