"""Sessions are with the leader: what becomes of them, and of verdicts, from term to term."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import Reason
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.control.sessions import verdicts
from holdfast.control.sessions.session import ECHO_EVERY
from tests.control.sessions.conftest import Control, hello, refusal, until


def _node(name: str) -> core.Node:
    node = core.Node()
    node.metadata.name = name
    return node


async def test_the_end_of_a_term_sends_the_nodes_away(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(hello("n1"))
        await call.read()
        await control.end_term()
        assert (await refusal(call)).reason is Reason.NOT_LEADER
        call = stub.Open()
        await call.write(hello("n1"))
        assert (await refusal(call)).reason is Reason.NOT_LEADER, "the next term is another's"
        await until(lambda: control.sessions.connected() == 0)


async def test_a_new_term_waits_for_everybody_anew(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is lost because the leader changed, however long the last one had not heard it."""
    monkeypatch.setattr(verdicts, "SILENT_S", 1.25)
    await control.create("nodes", _node("n1"))
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(hello("n1"))
        await call.read()
        await control.end_term()
        control.begin_term()
        await asyncio.sleep(1.5)
        assert not control.node("n1").spec.taints
        call = stub.Open()
        await call.write(hello("n1"))
        assert (await call.read()).HasField("welcome")


async def test_nothing_of_a_term_stays_at_the_cache(control: Control) -> None:
    before = len(control.doors.cache._callbacks["nodes"])
    for _ in range(3):
        await control.end_term()
        control.begin_term()
        await asyncio.sleep(0)
    assert len(control.doors.cache._callbacks["nodes"]) == before


async def test_some_beats_are_answered(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(hello("n1"))
        await call.read()
        for sequence in range(1, ECHO_EVERY + 1):
            await call.write(wire.NodeMessage(beat=wire.Beat(sequence=sequence)))
        assert (await call.read()).echo.sequence == ECHO_EVERY


async def test_nodes_are_told_where_the_control_nodes_are(control: Control) -> None:
    control.sessions.tell(("a:1",))
    async with control.agent("n1") as stub:
        call = stub.Open()
        await call.write(hello("n1"))
        assert list((await call.read()).welcome.endpoints) == ["a:1"]
        control.sessions.tell(("a:1", "b:1"))
        await call.write(wire.NodeMessage(beat=wire.Beat(sequence=1)))
        assert list((await call.read()).welcome.endpoints) == ["a:1", "b:1"]
