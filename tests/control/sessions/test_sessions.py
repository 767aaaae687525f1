"""Sessions over real streams: hello, beats, loss and return, replacement, revocation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import Reason
from holdfast.api.objects import conditions
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.control.sessions import verdicts
from holdfast.control.sessions.effects import REASON, UNREACHABLE
from tests.control.sessions.conftest import Control, hello, refusal, until


def _node(name: str) -> core.Node:
    node = core.Node()
    node.metadata.name = name
    return node


async def _open(stub: Any, name: str) -> Any:
    call = stub.Open()
    await call.write(hello(name))
    welcome = await call.read()
    assert welcome.welcome.beat_interval_ms == 500
    return call


async def test_a_node_is_welcomed_and_counted(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        assert control.sessions.get("n1") is not None
        await call.done_writing()
        await until(lambda: control.sessions.get("n1") is None)
        assert control.sessions.connected() == 0


@pytest.mark.parametrize("name", ["n2", ""])
async def test_a_node_opens_only_its_own_session(control: Control, name: str) -> None:
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(hello(name))
        error = await refusal(call)
        assert error.reason is Reason.FORBIDDEN
        assert control.sessions.connected() == 0


async def test_the_first_message_must_be_a_hello(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(wire.NodeMessage(beat=wire.Beat(sequence=1)))
        error = await refusal(call)
        assert error.reason is Reason.BAD_REQUEST
        assert "must be a Hello" in error.message


async def test_a_second_session_takes_over(control: Control) -> None:
    async with control.agent("n1") as first, control.agent("n1") as second:
        old = await _open(first, "n1")
        new = await _open(second, "n1")
        error = await refusal(old)
        assert error.reason is Reason.CONFLICT
        assert "took over" in error.message
        assert control.sessions.connected() == 1
        await new.write(wire.NodeMessage(beat=wire.Beat(sequence=1)))


async def test_a_revoked_node_loses_its_session_at_once(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        await control.doors.revocations.revoke("system:node:n1", control.doors.clock() + 1, b"")
        error = await refusal(call)
        assert error.reason is Reason.UNAUTHORIZED
        call = stub.Open()
        assert (await refusal(call)).reason is Reason.UNAUTHORIZED


async def test_a_silent_node_is_marked_and_a_returning_one_unmarked(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SILENT_S", 1.25)
    await control.create("nodes", _node("n1"))
    async with control.agent("n1") as stub:
        call = await _open(stub, "n1")
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        error = await refusal(call)
        assert error.reason is Reason.UNAVAILABLE
        assert 1.2 <= loop.time() - silent_since < 2.5
        await until(lambda: len(control.node("n1").spec.taints) == 2)
        await until(lambda: len(control.node("n1").status.conditions) > 0)
        assert {taint.key for taint in control.node("n1").spec.taints} == {UNREACHABLE}
        ready = conditions.condition(control.node("n1").status.conditions, "Ready")
        assert ready is not None
        assert (ready.status, ready.reason) == ("Unknown", REASON)
        call = await _open(stub, "n1")
        await until(lambda: not control.node("n1").spec.taints)


async def test_taints_of_an_earlier_life_go_when_the_node_opens_its_session(
    control: Control,
) -> None:
    node = _node("n1")
    node.spec.taints.add(key=UNREACHABLE, effect="NoExecute")
    node.spec.taints.add(key="dedicated", effect="NoSchedule")
    await control.create("nodes", node)
    async with control.agent("n1") as stub:
        await _open(stub, "n1")
        await until(lambda: len(control.node("n1").spec.taints) == 1)
        assert control.node("n1").spec.taints[0].key == "dedicated"
