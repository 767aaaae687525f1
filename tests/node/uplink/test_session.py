"""The agent's side of a session: its writes, and what becomes of them when the stream ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest

from holdfast.api.client import Client, Endpoint, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason, not_leader
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.rpc.v1 import sessions_pb2_grpc
from holdfast.api.transport.server import Server
from holdfast.api.wire import abort, status_bytes
from holdfast.node.uplink import session as module
from holdfast.node.uplink.session import Identity, Session

INTERVAL_MS = 300


class Service(sessions_pb2_grpc.SessionsServicer):
    """Answers what the test says, and keeps what it was sent."""

    def __init__(self):
        self.heard = []
        self.streams = 0
        self.leader = None  # whom it names instead of welcoming anybody
        self.answer = None  # number → ControlMessage, None = end the stream

    async def Open(self, _requests, context):  # noqa: N802
        self.streams += 1
        await context.read()
        if self.leader is not None:
            await abort(context, not_leader("another leads", [self.leader]))
        await context.write(wire.ControlMessage(welcome={"beat_interval_ms": INTERVAL_MS}))
        while (message := await context.read()) is not grpc.aio.EOF:
            self.heard.append(message)
            if message.HasField("writes"):
                if self.answer is None:
                    return
                await context.write(self.answer(message.writes.number))


@asynccontextmanager
async def session(path):
    server = Server()
    service = Service()
    sessions_pb2_grpc.add_SessionsServicer_to_server(service, server)
    address = f"unix:{path}/sessions.sock"
    await server.listen(address)
    opened = asyncio.Event()
    async with Client.connect(Endpoint((address,))) as client:
        mine = Session(client, Identity("n1", "b", "v"), opened.set, lambda ticket: None)
        running = asyncio.create_task(mine.run())
        await asyncio.wait_for(opened.wait(), 5)
        yield SimpleNamespace(service=service, session=mine, opened=opened)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await server.stop(0)


def write(name="n1"):
    node = core.Node()
    node.metadata.name = name
    return Write(WriteVerb.UPDATE, "nodes", message=node, subresource="status")


def done(number):
    written = wire.Written(number=number)
    written.reply.outcomes.add(revision=number + 100)
    return wire.ControlMessage(written=written)


async def test_writes_are_answered(tmp_path):
    async with session(tmp_path) as here:
        here.service.answer = done
        first = await here.session.batch([write()])
        second = await here.session.batch([write()])
    assert [first[0].revision, second[0].revision] == [101, 102]
    sent = [m.writes.batch for m in here.service.heard if m.HasField("writes")]
    assert sent[0].writes[0].name == "n1"
    assert sent[0].options.request_id != sent[1].options.request_id


async def test_a_refusal_of_the_whole(tmp_path):
    async with session(tmp_path) as here:

        def refuse(number):
            said = status_bytes(ApiError(Reason.UNAVAILABLE, "the store is stopping"))
            return wire.ControlMessage(written={"number": number, "refusal": said})

        here.service.answer = refuse
        with pytest.raises(ApiError, match="the store is stopping"):
            await here.session.batch([write()])


async def test_a_stream_that_ends_leaves_the_outcome_unknown_and_is_opened_again(tmp_path):
    async with session(tmp_path) as here:
        here.opened.clear()
        with pytest.raises(ApiError, match="session ended") as caught:
            await here.session.batch([write()])
        assert caught.value.reason is Reason.UNAVAILABLE
        await asyncio.wait_for(here.opened.wait(), 5)
        here.service.answer = done
        assert (await here.session.batch([write()]))[0].revision


async def test_no_beat_beside_writes(tmp_path):
    async with session(tmp_path) as here:
        here.service.answer = done
        for _ in range(20):
            await here.session.batch([write()])
            await asyncio.sleep(0.02)
        assert not any(message.HasField("beat") for message in here.service.heard)
        await asyncio.sleep(0.7)
        beats = [message for message in here.service.heard if message.HasField("beat")]
        assert 1 <= len(beats) <= 4


async def test_without_a_session_nothing_is_sent():
    async with Client.connect(Endpoint(("unix:/nowhere",))) as client:
        mine = Session(client, Identity("n1", "b", "v"), lambda: None, lambda ticket: None)
        with pytest.raises(ApiError, match="no session"):
            await mine.batch([write()])


async def test_a_silent_control_node_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SILENT_S_MIN", 0.5)
    monkeypatch.setattr(module, "INTERVALS_SILENT", 1)
    async with session(tmp_path) as here:
        here.opened.clear()
        await asyncio.wait_for(here.opened.wait(), 5)
        assert here.service.streams == 2


async def test_a_session_goes_to_the_leader_that_a_follower_names(tmp_path):
    async with session(tmp_path) as leader:
        server, follower = Server(), Service()
        follower.leader = f"unix:{tmp_path}/sessions.sock"
        sessions_pb2_grpc.add_SessionsServicer_to_server(follower, server)
        address = f"unix:{tmp_path}/follower.sock"
        await server.listen(address)
        opened = asyncio.Event()
        async with Client.connect(Endpoint((address,))) as client:
            mine = Session(client, Identity("n2", "b", "v"), opened.set, lambda ticket: None)
            running = asyncio.create_task(mine.run())
            await asyncio.wait_for(opened.wait(), 0.5)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await server.stop(0)
        assert (follower.streams, leader.service.streams) == (1, 2)
