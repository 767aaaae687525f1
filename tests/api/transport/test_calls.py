"""Calls of all kinds, between ends of both makes: ours with itself, and with grpcio's each way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from holdfast.api.transport.clientcall import ClientCall
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.link import Link
from holdfast.api.transport.servercall import ServerCall
from tests.api.transport.serving import ends, until

MAKES = ["ours-ours", "ours-grpcio", "grpcio-ours"]
every = pytest.mark.parametrize("makes", MAKES)
our_client = pytest.mark.parametrize("makes", MAKES[:2])
our_server = pytest.mark.parametrize("makes", [MAKES[0], MAKES[2]])


async def some(*requests: bytes) -> AsyncIterator[bytes]:
    for one in requests:
        yield one


@every
async def test_one_request_one_reply(makes: str) -> None:
    async with ends(makes) as (_, channel):
        echo = channel.unary_unary("/t.T/Echo")
        assert await echo(b"hello") == b"hello"
        assert await echo(b"") == b""
        replies = await asyncio.gather(*(echo(b"%d" % n, timeout=10) for n in range(300)))
        assert replies == [b"%d" % n for n in range(300)]


@every
async def test_a_stream_of_replies(makes: str) -> None:
    async with ends(makes) as (_, channel):
        call = channel.unary_stream("/t.T/Count")(b"500")
        assert [one async for one in call] == [b"%d" % n for n in range(500)]
        assert [one async for one in channel.unary_stream("/t.T/Count")(b"0")] == []


@every
async def test_a_stream_of_requests(makes: str) -> None:
    async with ends(makes) as (_, channel):
        total = channel.stream_unary("/t.T/Total")
        assert await total(some(b"a", b"bc", b"")) == b"3"
        assert await total(some()) == b"0"


@every
async def test_a_stream_both_ways(makes: str) -> None:
    async with ends(makes) as (_, channel):
        call = channel.stream_stream("/t.T/Chat")(some(b"a", b"b"))
        assert [one async for one in call] == [b"A", b"B"]
        call = channel.stream_stream("/t.T/Talk")()
        for _ in range(50):
            await call.write(b"x" * 100)
            assert await call.read() == b"x" * 100
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


@every
async def test_a_reply_of_20_mib(makes: str) -> None:
    async with ends(makes) as (_, channel):
        reply = await channel.unary_unary("/t.T/Sized")(b"%d" % (20 << 20))
        assert len(reply) == 20 << 20


@our_server
async def test_a_request_that_is_too_large(makes: str) -> None:
    async with ends(makes) as (_, channel):
        echo = channel.unary_unary("/t.T/Echo")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(bytes((4 << 20) + 1))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "4194305 vs. 4194304" in (caught.value.details() or "")
        assert len(await echo(bytes(4 << 20))) == 4 << 20


@every
async def test_errors_with_metadata(makes: str) -> None:
    async with ends(makes) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Fail")(b"")
        error = caught.value
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert error.details() == "nicht möglich: 100 %\n日本"
        trailing = [tuple(pair) for pair in error.trailing_metadata() or ()]
        assert ("why-bin", b"\0\xff") in trailing
        assert ("hint", "later") in trailing


@every
async def test_a_code_that_the_handler_sets(makes: str) -> None:
    async with ends(makes) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Coded")(b"")
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "gone")


@every
async def test_a_method_that_is_none(makes: str) -> None:
    async with ends(makes) as (_, channel):
        for call in (
            channel.unary_unary("/t.T/None")(b""),
            channel.stream_stream("/t.T/None")().read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@our_server
@pytest.mark.parametrize(
    ("method", "code"),
    [("Broken", grpc.StatusCode.UNKNOWN), ("GivesUp", grpc.StatusCode.CANCELLED)],
)
async def test_a_handler_that_breaks_tells_no_secret(
    makes: str, method: str, code: grpc.StatusCode
) -> None:
    async with ends(makes) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/t.T/{method}")(b"", timeout=5)
        assert caught.value.code() is code
        assert "secret" not in (caught.value.details() or "")


@every
async def test_metadata_arrives(makes: str) -> None:
    async with ends(makes) as (handlers, channel):
        sent = (("authorization", "Bearer x"), ("b-bin", bytes(range(256))), ("empty", ""))
        await channel.unary_unary("/t.T/Echo")(b"", metadata=sent)
        got = [tuple(pair) for pair in handlers.seen[0]]
        assert [pair for pair in got if pair[0] != "user-agent"] == list(sent)


@every
async def test_a_deadline_passes_at_both_ends(makes: str) -> None:
    async with ends(makes) as (handlers, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Wait")(b"", timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(handlers.cancelled.wait(), 5)


@every
async def test_a_deadline_of_a_stream(makes: str) -> None:
    async with ends(makes) as (_handlers, channel):
        call = channel.stream_stream("/t.T/Talk")(timeout=0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@every
async def test_a_cancelled_call_cancels_its_handler(makes: str) -> None:
    async with ends(makes) as (handlers, channel):

        async def ask() -> bytes:
            reply: bytes = await channel.unary_unary("/t.T/Wait")(b"")
            return reply

        task = asyncio.create_task(ask())
        await asyncio.wait_for(handlers.began.wait(), 5)
        task.cancel()
        await asyncio.wait_for(handlers.cancelled.wait(), 5)
        await asyncio.gather(task, return_exceptions=True)


@every
async def test_a_cancelled_stream_cancels_its_handler(makes: str) -> None:
    async with ends(makes) as (handlers, channel):
        call = channel.stream_stream("/t.T/Talk")()
        await call.write(b"x")
        assert await call.read() == b"x"
        assert call.cancel()
        if makes != "ours-grpcio":  # grpcio's reader may see an end of the requests instead
            await asyncio.wait_for(handlers.cancelled.wait(), 5)
        call = channel.unary_stream("/t.T/Large")(b"10000")  # more than any buffer takes
        assert len(await call.read()) == 10_000
        handlers.cancelled.clear()
        call.cancel()
        await asyncio.wait_for(handlers.cancelled.wait(), 5)


@every
async def test_a_slow_reader_holds_its_writer(makes: str) -> None:
    async with ends(makes) as (handlers, channel):
        call = channel.unary_stream("/t.T/Large")(b"10000")
        await call.read()
        count = -1
        while count != len(handlers.seen):  # until the handler stands still
            count = len(handlers.seen)
            await asyncio.sleep(0.2)
        assert count < 4000
        for _ in range(count + 100):
            assert len(await call.read()) == 10_000
        call.cancel()


@our_client
async def test_what_is_not_read_does_not_stop_other_calls(makes: str) -> None:
    async with ends(makes) as (_handlers, channel):
        stuck = [channel.unary_stream("/t.T/Large")(b"60000") for _ in range(40)]
        await asyncio.gather(*(call.read() for call in stuck))
        for _ in range(20):
            assert await channel.unary_unary("/t.T/Echo")(b"x", timeout=5) == b"x"
            await asyncio.sleep(0.01)
        for call in stuck:
            call.cancel()
        link = channel._link
        await until(lambda: not link.connection.streams_open)
        assert link.held_bytes == 0


@our_client
async def test_a_read_may_be_cancelled_and_tried_again(makes: str) -> None:
    async with ends(makes) as (_, channel):
        call = channel.stream_stream("/t.T/Talk")()
        await call.write(b"1")
        assert await call.read() == b"1"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.read(), 0.01)
        await call.write(b"2")
        assert await call.read() == b"2"
        call.cancel()


@our_client
async def test_writing_after_the_end(makes: str) -> None:
    async with ends(makes) as (_, channel):
        call = channel.stream_stream("/t.T/Leaves")()
        await call.write(b"x")
        with pytest.raises(grpc.aio.AioRpcError, match="enough"):
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError, match="enough"):
            await call.write(b"x")
        call = channel.stream_stream("/t.T/Talk")()
        await call.write(b"x")
        await call.done_writing()
        assert await call.read() == b"x"
        assert await call.read() is grpc.aio.EOF
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"x")
        assert not call.cancel()


@our_client
async def test_a_writer_that_waits_hears_of_the_end(makes: str) -> None:
    async with ends(makes) as (_, channel):
        call = channel.stream_stream("/t.T/Deaf")(timeout=0.5)

        async def write() -> None:
            while True:
                await call.write(bytes(1 << 20))

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(write(), 5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@our_client
async def test_requests_that_break_off_end_the_call(makes: str) -> None:
    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("no more")

    async with ends(makes) as (_, channel):
        call = channel.stream_stream("/t.T/Talk")(requests())
        with pytest.raises(grpc.aio.AioRpcError, match="broke off: ValueError: no more"):
            while await asyncio.wait_for(call.read(), 5):
                pass


@our_client
async def test_what_cannot_be_written_or_read(makes: str) -> None:
    def refuse(_: Any) -> Any:
        raise TypeError("unfit")

    async with ends(makes) as (_, channel):
        with pytest.raises(TypeError):
            await channel.unary_unary("/t.T/Echo", request_serializer=refuse)(b"")
        for call in (
            channel.unary_unary("/t.T/Echo", response_deserializer=refuse)(b""),
            channel.unary_stream("/t.T/Count", response_deserializer=refuse)(b"1").read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INTERNAL
        with pytest.raises(ValueError, match="metadata"):
            await channel.unary_unary("/t.T/Echo")(b"", metadata=(("grpc-x", "1"),))
        await until(lambda: not channel._link.streams)


@our_client
async def test_a_call_that_nobody_holds_is_cancelled(makes: str) -> None:
    async with ends(makes) as (handlers, channel):
        call = channel.unary_stream("/t.T/Large")(b"10")
        async for _ in call:
            break
        del call
        gc.collect()
        await asyncio.wait_for(handlers.cancelled.wait(), 5)
        assert not channel._link.streams


@our_client
async def test_nothing_stays_after_many_calls(makes: str) -> None:
    async with ends(makes) as (_, channel):
        for _ in range(30):
            call = channel.stream_stream("/t.T/Leaves")()
            await call.write(b"x" * 1000)
            with pytest.raises(grpc.aio.AioRpcError):
                await call.read()
            await channel.unary_unary("/t.T/Sized")(b"100000")
        connection = channel._link.connection
        await until(lambda: not connection.streams_open)
        assert not connection._outgoing._streams
        assert not connection._incoming
        assert channel._link.held_bytes == 0


@our_client
async def test_a_cancelled_call_gives_back_what_was_not_read(makes: str) -> None:
    async with ends(makes) as (_, channel):
        for _ in range(10):
            call = channel.unary_stream("/t.T/Large")(b"100000")
            await call.read()
            await asyncio.sleep(0.02)
            call.cancel()
        link = channel._link
        reply = await channel.unary_unary("/t.T/Sized")(b"%d" % (20 << 20), timeout=10)
        assert len(reply) == 20 << 20
        account = link.connection._allowance
        assert account._left + account._used == account._size


async def test_nothing_of_a_connection_waits_for_the_garbage_collector() -> None:
    kinds = (Connection, Link, ServerCall, ClientCall)

    def alive() -> int:
        return sum(isinstance(one, kinds) for one in gc.get_objects())

    async def visit() -> None:
        async with ends("ours-ours") as (handlers, channel):
            await channel.unary_unary("/t.T/Sized")(b"10")
            call = channel.unary_stream("/t.T/Large")(b"10")
            async for _ in call:
                break
            call.cancel()
            await asyncio.wait_for(handlers.cancelled.wait(), 5)

    await visit()
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for _ in range(3):
            await visit()
        await until(lambda: alive() <= before, turns=50)
    finally:
        gc.enable()
