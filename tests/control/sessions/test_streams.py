"""Logs and exec: tickets, dialled streams joined both ways, and every way they can fail."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from holdfast.api import wire as errors
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.rpc.v1 import sessions_pb2_grpc
from holdfast.control.sessions import streams as streams_module
from tests.control.sessions.conftest import Control, hello, refusal


def _pod(name: str, node: str, *containers: str) -> core.Pod:
    pod = core.Pod()
    pod.metadata.name, pod.metadata.namespace = name, "default"
    pod.spec.nodeName = node
    for container in containers or ("main",):
        pod.spec.containers.add(name=container, image="demo")
    return pod


async def _ready(control: Control, stub: Any) -> Any:
    """A node n1 with a session and a pod "web" on it; returns the session."""
    await control.create("pods", _pod("web", "n1"))
    session = stub.Open()
    await session.write(hello("n1"))
    await session.read()
    return session


async def _ticket(session: Any) -> wire.Ticket:
    message = await session.read()
    ticket: wire.Ticket = message.ticket
    return ticket


async def _dial(stub: Any, ticket: wire.Ticket) -> Any:
    call = stub.Dial()
    await call.write(wire.Frame(ticket=ticket.id))
    return call


def _out(text: bytes) -> wire.Frame:
    return wire.Frame(channel=wire.STDOUT, data=text)


async def test_logs_come_from_the_pods_node(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web", tail_lines=3))
        ticket = await _ticket(session)
        assert len(ticket.id) == 16
        entry = control.doors.cache.get("pods", "default", "web")
        assert entry is not None
        assert ticket.logs.uid == entry.message.metadata.uid
        assert (ticket.logs.container, ticket.logs.tail_lines) == ("main", 3)
        dialled = await _dial(stub, ticket)
        await dialled.write(_out(b"one\n"))
        await dialled.write(_out(b"two\n"))
        await dialled.done_writing()
        frames = [frame async for frame in call]
        assert [frame.data for frame in frames] == [b"one\n", b"two\n"]
        assert not any(frame.ticket for frame in frames)
        assert await dialled.read() is grpc.aio.EOF


async def test_a_client_that_goes_ends_the_nodes_stream(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web", follow=True))
        dialled = await _dial(stub, await _ticket(session))
        await dialled.write(_out(b"one\n"))
        assert (await call.read()).data == b"one\n"
        call.cancel()
        assert await dialled.read() is grpc.aio.EOF


async def test_a_slow_client_slows_the_node(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web", follow=True))
        dialled = await _dial(stub, await _ticket(session))
        written = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                while written < 64 << 20:
                    await dialled.write(_out(b"x" * (64 << 10)))
                    written += 64 << 10
        assert written < 16 << 20
        call.cancel()


async def test_a_nodes_error_is_the_clients(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web", previous=True))
        dialled = await _dial(stub, await _ticket(session))
        sent = ApiError(Reason.BAD_REQUEST, 'container "main" has no previous run')
        await dialled.write(wire.Frame(error=errors.status_bytes(sent)))
        error = await refusal(call)
        assert (error.reason, error.message) == (sent.reason, sent.message)


async def test_a_stream_that_breaks_off_is_said_to(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web", follow=True))
        dialled = await _dial(stub, await _ticket(session))
        await dialled.write(_out(b"one\n"))
        assert (await call.read()).data == b"one\n"
        dialled.cancel()
        error = await refusal(call)
        assert error.reason is Reason.UNAVAILABLE
        assert error.message == 'the stream from node "n1" broke off'


async def test_exec_goes_both_ways_and_ends_with_its_code(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Exec()
        request = wire.ExecRequest(namespace="default", pod="web", command=["cat"], stdin=True)
        await call.write(wire.ExecMessage(request=request))
        ticket = await _ticket(session)
        assert list(ticket.exec.command) == ["cat"]
        dialled = await _dial(stub, ticket)
        forged = wire.Frame(ticket=b"t", channel=wire.STDIN, data=b"hi", exit_code=3)
        await call.write(wire.ExecMessage(frame=forged))
        size = wire.TerminalSize(columns=80, rows=24)
        await call.write(wire.ExecMessage(frame=wire.Frame(resize=size)))
        await call.write(wire.ExecMessage(frame=wire.Frame(channel=wire.STDOUT, data=b"no")))
        large = b"y" * 100_000
        await call.write(wire.ExecMessage(frame=wire.Frame(channel=wire.STDIN, data=large)))
        await call.done_writing()
        assert await dialled.read() == wire.Frame(channel=wire.STDIN, data=b"hi")
        assert await dialled.read() == wire.Frame(resize=size)
        parts = [await dialled.read(), await dialled.read()]
        assert b"".join(part.data for part in parts) == large
        assert max(len(part.data) for part in parts) == 64 << 10
        assert await dialled.read() == wire.Frame(channel=wire.STDIN, end=True)
        await dialled.write(_out(b"hi"))
        await dialled.write(wire.Frame(exit_code=7))
        assert (await call.read()).data == b"hi"
        assert (await call.read()).exit_code == 7
        assert await call.read() is grpc.aio.EOF
        assert await dialled.read() is grpc.aio.EOF


async def test_output_goes_on_after_the_input_has_ended(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Exec()
        request = wire.ExecRequest(namespace="default", pod="web", command=["sort"])
        await call.write(wire.ExecMessage(request=request))
        await call.done_writing()
        dialled = await _dial(stub, await _ticket(session))
        await asyncio.sleep(0.05)
        await dialled.write(_out(b"sorted"))
        await dialled.write(wire.Frame(exit_code=0))
        assert [frame.data async for frame in call] == [b"sorted", b""]


async def test_an_exec_without_an_exit_code_failed(control: Control) -> None:
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Exec()
        request = wire.ExecRequest(namespace="default", pod="web", command=["x"])
        await call.write(wire.ExecMessage(request=request))
        dialled = await _dial(stub, await _ticket(session))
        await dialled.done_writing()
        error = await refusal(call)
        assert error.reason is Reason.UNAVAILABLE
        assert "without an exit code" in error.message


async def test_a_ticket_is_of_one_node_and_one_use(control: Control) -> None:
    async with control.agent("n1") as stub, control.agent("n2") as other, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web"))
        ticket = await _ticket(session)
        assert (await refusal(await _dial(other, ticket))).reason is Reason.FORBIDDEN
        dialled = await _dial(stub, ticket)
        await dialled.write(_out(b"one\n"))
        assert (await call.read()).data == b"one\n"
        assert (await refusal(await _dial(stub, ticket))).reason is Reason.FORBIDDEN


async def test_a_dial_without_a_ticket_is_refused(control: Control) -> None:
    async with control.agent("n1") as stub:
        call = await _dial(stub, wire.Ticket(id=b"x" * 16))
        assert (await refusal(call)).reason is Reason.FORBIDDEN
        call = stub.Dial()
        await call.done_writing()
        assert (await refusal(call)).reason is Reason.BAD_REQUEST


async def test_a_node_that_does_not_dial_is_not_waited_for_for_ever(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "LIFETIME_S", 0.1)
    async with control.agent("n1") as stub, control.user() as user:
        session = await _ready(control, stub)
        call = user.Logs(wire.LogsRequest(namespace="default", pod="web"))
        error = await refusal(call)
        assert error.reason is Reason.TIMEOUT
        assert 'node "n1" did not open the stream' in error.message
        late = await _dial(stub, await _ticket(session))
        assert (await refusal(late)).reason is Reason.FORBIDDEN


@pytest.mark.parametrize(
    ("request_", "reason", "says"),
    [
        (wire.LogsRequest(namespace="default", pod="gone"), Reason.NOT_FOUND, '"gone" not found'),
        (
            wire.LogsRequest(namespace="default", pod="pending"),
            Reason.BAD_REQUEST,
            'pod "pending" is not scheduled to a node yet',
        ),
        (
            wire.LogsRequest(namespace="default", pod="two"),
            Reason.BAD_REQUEST,
            'pod "two" has several containers: choose one of a, b',
        ),
        (
            wire.LogsRequest(namespace="default", pod="two", container="c"),
            Reason.BAD_REQUEST,
            'container "c" is not in pod "two": choose one of a, b',
        ),
        (
            wire.LogsRequest(namespace="default", pod="two", container="a", uid="x"),
            Reason.CONFLICT,
            "its uid is",
        ),
        (
            wire.LogsRequest(namespace="default", pod="two", container="a"),
            Reason.UNAVAILABLE,
            'node "n9" is not connected',
        ),
    ],
)
async def test_bad_requests_end_before_any_node_hears_of_them(
    control: Control, request_: wire.LogsRequest, reason: Reason, says: str
) -> None:
    await control.create("pods", _pod("pending", ""))
    await control.create("pods", _pod("two", "n9", "a", "b"))
    async with control.user() as user:
        error = await refusal(user.Logs(request_))
        assert error.reason is reason
        assert says in error.message


async def test_bad_execs_are_refused(control: Control) -> None:
    await control.create("pods", _pod("web", "n1"))
    async with control.user() as user:
        call = user.Exec()
        await call.write(wire.ExecMessage(request=wire.ExecRequest(namespace="default", pod="web")))
        assert (await refusal(call)).message == "command is missing: say what to run"
        call = user.Exec()
        await call.write(wire.ExecMessage(frame=wire.Frame(data=b"x")))
        assert "must be the request" in (await refusal(call)).message


async def test_a_node_may_not_use_the_service(control: Control) -> None:
    await control.create("pods", _pod("web", "n1"))
    async with control.connection(control.node_credentials("n1")) as connection:
        stub: Any = sessions_pb2_grpc.PodsStub(connection)
        error = await refusal(stub.Logs(wire.LogsRequest(namespace="default", pod="web")))
        assert error.reason is Reason.FORBIDDEN
        assert 'cannot get resource "pods/log"' in error.message
        call = stub.Exec()
        request = wire.ExecRequest(namespace="default", pod="web", command=["sh"])
        await call.write(wire.ExecMessage(request=request))
        error = await refusal(call)
        assert 'cannot create resource "pods/exec"' in error.message
