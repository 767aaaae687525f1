"""A node's writes over its session: as a Batch, one at a time, by who the node is now."""

from __future__ import annotations

from typing import Any

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import Reason
from holdfast.api.rpc.v1 import resources_pb2 as rpc
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.wire import parse_refusal
from tests.control.sessions.conftest import Control, hello, refusal, until


def _create(name: str) -> rpc.BatchWrite:
    node = core.Node()
    node.metadata.name = name
    return rpc.BatchWrite(verb=rpc.CREATE, resource="nodes", object=node.SerializeToString())


def _writes(number: int, *writes: rpc.BatchWrite) -> wire.NodeMessage:
    return wire.NodeMessage(writes=wire.Writes(number=number, batch={"writes": writes}))


async def _open(stub: Any, name: str) -> Any:
    call = stub.Open()
    await call.write(hello(name))
    await call.read()
    return call


async def test_each_write_has_its_outcome(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        await call.write(_writes(7, _create("n1"), _create("n2")))
        written = (await call.read()).written
        assert written.number == 7
        own, other = written.reply.outcomes
        assert own.revision and not own.refusal
        assert parse_refusal(other.refusal).reason is Reason.FORBIDDEN
        assert control.node("n1").metadata.name == "n1"
        await call.write(_writes(8, _create("n1")))
        (again,) = (await call.read()).written.reply.outcomes
        assert parse_refusal(again.refusal).reason is Reason.ALREADY_EXISTS


async def test_a_batch_is_refused_as_a_whole(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        await call.write(_writes(1, *[_create("n1")] * 1001))
        written = (await call.read()).written
        assert parse_refusal(written.refusal).reason is Reason.BAD_REQUEST
        assert control.sessions.get("n1") is not None


async def test_the_next_writes_wait_for_the_answer(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        for number in range(2):
            await call.write(_writes(number, *[_create("n1")] * 1000))
        error = await refusal(call)
        assert error.reason is Reason.BAD_REQUEST
        assert "after the answer" in error.message


async def test_who_it_is_is_asked_each_time(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        control.doors.clock.now += 2 * 3600  # its certificate is good for one
        await call.write(_writes(1, _create("n1")))
        assert (await refusal(call)).reason is Reason.UNAUTHORIZED
        await until(lambda: control.sessions.get("n1") is None)
