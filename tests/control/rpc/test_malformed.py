"""Bytes that are no object: the flaw is named, nothing is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.api.wire import from_rpc_error
from holdfast.control.rpc.objects import decoding, flaws
from tests.control.registry.world import config_map, pod
from tests.control.rpc.serving import Site


def _damaged(message: core.ConfigMap, old: bytes, new: bytes) -> bytes:
    data = message.SerializeToString()
    assert old in data
    return data.replace(old, new)


CASES = [
    (_damaged(config_map("settings"), b"settings", b"set\xffings"), "metadata.name: invalid UTF-8"),
    (_damaged(config_map(key="value"), b"value", b"val\xc3e"), "data.value: invalid UTF-8"),
    (config_map().SerializeToString() + b"\xf8\x07\x01", "unknown field number 127"),
    (config_map().SerializeToString()[:-3], "the bytes end within a field"),
    (b"\x0f", "not a protobuf message"),
    (b"\x0a\xff", "not a protobuf message"),
    (b'{"kind": "ConfigMap"}', "ConfigMap"),
]


@pytest.mark.parametrize(("data", "text"), CASES)
def test_the_flaw_is_named(data: bytes, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        decoding.decode(core.ConfigMap, data)
    assert refused.value.reason is Reason.BAD_REQUEST
    assert text in str(refused.value)


def test_a_flaw_deep_inside_has_its_path() -> None:
    sent = pod("p")
    sent.spec.containers[0].image = "imagename"
    data = sent.SerializeToString().replace(b"imagename", b"image\xfe\xffme")
    assert flaws.find(core.Pod.DESCRIPTOR, data).startswith("spec.containers.image: invalid UTF-8")
    assert flaws.find(core.Pod.DESCRIPTOR, sent.SerializeToString()) == ""


@pytest.fixture
async def raw(at: Site) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(at.address) as channel:
        yield channel


async def _refusal(channel: grpc.aio.Channel, method: str, request: bytes) -> ApiError:
    call = channel.unary_unary(f"/holdfast.api.rpc.v1.Resources/{method}")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(request)
    return from_rpc_error(failed.value)


async def test_malformed_objects_are_refused_whole(at: Site, raw: grpc.aio.Channel) -> None:
    before = at.world.engine.revision
    for data, text in CASES:
        create = resources_pb2.CreateRequest(
            resource="configmaps", namespace="default", object=data
        )
        refusal = await _refusal(raw, "Create", create.SerializeToString())
        assert refusal.reason is Reason.BAD_REQUEST
        assert text in refusal.message
    assert at.world.engine.revision == before


async def test_a_malformed_write_of_a_batch_is_refused_alone(
    at: Site, raw: grpc.aio.Channel
) -> None:
    batch = resources_pb2.BatchRequest()
    batch.writes.add(verb=resources_pb2.CREATE, resource="configmaps", object=CASES[0][0])
    batch.writes.add(verb=resources_pb2.CREATE, resource="nonsense", object=b"")
    batch.writes.add(resource="configmaps", object=config_map().SerializeToString())
    batch.writes.add(
        verb=resources_pb2.CREATE,
        resource="configmaps",
        object=config_map("good").SerializeToString(),
    )
    call = raw.unary_unary(
        "/holdfast.api.rpc.v1.Resources/Batch",
        response_deserializer=resources_pb2.BatchReply.FromString,
    )
    reply = await call(batch.SerializeToString())
    assert [bool(outcome.refusal) for outcome in reply.outcomes] == [True, True, True, False]
    batch.atomic = True
    del batch.writes[3]
    reply = await call(batch.SerializeToString())
    assert all(outcome.refusal for outcome in reply.outcomes)


async def test_a_request_that_is_too_large_is_refused(at: Site) -> None:
    with pytest.raises(ApiError) as refused:
        await at.client.create("configmaps", config_map(key="x" * (5 << 20)))
    assert refused.value.reason is Reason.TOO_LARGE
    assert at.world.get("configmaps", "settings") is None


@pytest.mark.parametrize("method", ["Get", "Create", "Batch"])
async def test_a_request_that_is_no_message(at: Site, raw: grpc.aio.Channel, method: str) -> None:
    refusal = await _refusal(raw, method, b"\xff\xff\xff")
    assert refusal.reason is Reason.BAD_REQUEST
    assert "the request is malformed" in refusal.message
    await at.client.create("configmaps", config_map())


async def test_a_watch_of_no_message(raw: grpc.aio.Channel) -> None:
    call = raw.unary_stream("/holdfast.api.rpc.v1.Resources/Watch")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(b"\xff\xff\xff").read()
    assert from_rpc_error(failed.value).reason is Reason.BAD_REQUEST
