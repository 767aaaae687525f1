"""The calling end over time: turns beyond the limit, restarts, what it says when it cannot."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from holdfast.api.transport import clientcall
from holdfast.api.transport.channel import Channel
from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.server import Bounds, Server
from tests.api.transport.serving import Handlers, connect, ours, until


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def served(handlers: Handlers, address: str) -> Server:
    server = Server()
    server.add_generic_rpc_handlers((handlers.generic(),))
    await server.listen(address)
    return server


@pytest.mark.parametrize("make", ["ours", "grpcio"])
async def test_more_calls_than_the_server_takes_at_once(make: str) -> None:
    async with (
        ours(Bounds(streams=5)) as (handlers, address, _),
        connect(make, address) as channel,
    ):
        wait = channel.unary_unary("/t.T/Wait")
        calls = asyncio.gather(*(wait(b"%d" % n) for n in range(60)))
        await until(lambda: handlers.at_once == 5)
        handlers.release.set()
        assert await calls == [b"%d" % n for n in range(60)]
        assert handlers.most <= 5


async def test_calls_have_their_turn_in_order() -> None:
    async with ours(Bounds(streams=1)) as (handlers, address, _), Channel(address) as channel:
        handlers.release.set()
        done: list[int] = []

        async def ask(number: int) -> None:
            await channel.unary_unary("/t.T/Wait")(b"")
            done.append(number)

        await asyncio.gather(*(ask(n) for n in range(30)))
        assert done == list(range(30))


async def test_a_turn_that_nobody_takes_any_more_is_anothers() -> None:
    async with ours(Bounds(streams=1)) as (handlers, address, _), Channel(address) as channel:
        wait = channel.unary_unary("/t.T/Wait")
        first = asyncio.create_task(wait(b"1"))
        await handlers.began.wait()
        second, third = asyncio.create_task(wait(b"2")), asyncio.create_task(wait(b"3"))
        late = asyncio.create_task(wait(b"4", timeout=0.01))
        await asyncio.gather(late, return_exceptions=True)
        assert isinstance(late.exception(), grpc.aio.AioRpcError)
        assert len(channel._waiting) == 2
        forget = channel.forget

        def and_cancel() -> None:
            forget()
            second.cancel()  # just when its turn has come

        channel.forget = and_cancel  # type: ignore[method-assign]
        handlers.release.set()
        assert await first == b"1"
        assert await asyncio.wait_for(third, 5) == b"3"


async def test_a_limit_that_is_raised_lets_calls_on() -> None:
    connection = Connection(client=False, streams_max=0)
    async with raw(connection) as (address, protocols), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Echo")(b"x"))
        await until(lambda: len(channel._waiting) == 1)
        more = frames.settings({frames.Setting.MAX_CONCURRENT_STREAMS: 1})
        protocols[0].write(more)
        await until(lambda: channel._link is not None and bool(channel._link.streams))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


async def test_a_waiter_is_cancelled_while_it_connects(port: int) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with Channel(address) as channel:
        echo = channel.unary_unary("/t.T/Echo")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(b"", timeout=0.05)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        other = asyncio.create_task(echo(b""))
        await asyncio.sleep(0)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        last = asyncio.create_task(echo(b""))
        await asyncio.sleep(0.01)
        await channel.close()
        with pytest.raises(grpc.aio.AioRpcError, match="channel was closed"):
            await last
        with pytest.raises(grpc.aio.AioRpcError, match="channel is closed"):
            await echo(b"")
    listener.close()


async def test_a_server_that_comes_back_is_found_at_once() -> None:
    handlers = Handlers()
    server = Server()
    server.add_generic_rpc_handlers((handlers.generic(),))
    address = await server.listen("127.0.0.1:0")
    loop = asyncio.get_running_loop()
    async with Channel(address) as channel:
        echo = channel.unary_unary("/t.T/Echo")
        for _ in range(3):
            assert await echo(b"1") == b"1"
            await server.stop()
            with pytest.raises(grpc.aio.AioRpcError, match="Connection refused"):
                await echo(b"2")
            server = await served(handlers, address)
            since = loop.time()
            while True:
                try:
                    await echo(b"3")
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
            assert loop.time() - since < 0.5
        await server.stop()


async def test_a_stopping_servers_calls_fail_and_new_ones_find_the_next() -> None:
    async with ours() as (handlers, address, server), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Wait")(b""))
        await handlers.began.wait()
        await server.stop(0.05)
        with pytest.raises(grpc.aio.AioRpcError, match="stopping") as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        again = await served(handlers, address)
        assert await channel.unary_unary("/t.T/Echo")(b"x") == b"x"
        await again.stop()


async def test_calls_that_were_never_looked_at_are_sent_again() -> None:
    """The server leaves while a call is on its way: it goes to the next connection."""
    async with ours() as (handlers, address, server), Channel(address) as channel:
        echo = channel.unary_unary("/t.T/Echo")
        await echo(b"")
        for link in list(server._links):
            link.connection.send_goaway(frames.Code.NO_ERROR)
            link.leaving = True
            link.flush()
        assert await echo(b"again", timeout=5) == b"again"
        assert len(handlers.seen) == 2


async def test_numbers_of_streams_run_out() -> None:
    async with ours() as (_, address, _server), Channel(address) as channel:
        echo = channel.unary_unary("/t.T/Echo")
        await echo(b"")
        first = channel._link
        assert first is not None
        first.connection._next = frames.WINDOW_MAX - 2
        assert await echo(b"1") == b"1"
        assert await echo(b"2", timeout=5) == b"2"
        assert channel._link is not first


async def test_a_lost_connection_wakes_all_who_wait() -> None:
    async with ours(Bounds(streams=1)) as (handlers, address, server), Channel(address) as channel:
        wait = channel.unary_unary("/t.T/Wait")
        calls = [asyncio.create_task(wait(b"")) for _ in range(20)]
        await handlers.began.wait()
        handlers.release.set()
        for link in list(server._links):
            link.abort("gone")
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert results.count(b"") >= 19


async def test_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.api.transport.channel.WAITING_MAX", 2)
    async with ours(Bounds(streams=1)) as (handlers, address, _), Channel(address) as channel:
        wait = channel.unary_unary("/t.T/Wait")
        calls = [asyncio.create_task(wait(b"")) for _ in range(3)]
        await until(lambda: len(channel._waiting) == 2)
        with pytest.raises(grpc.aio.AioRpcError, match="too many calls wait"):
            await wait(b"")
        handlers.release.set()
        await asyncio.gather(*calls)


# --- what it says when it cannot


async def failure(address: str) -> str:
    async with Channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Echo")(b"", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        return caught.value.details() or ""


async def test_nobody_listens(port: int, tmp_path: Path) -> None:
    assert (await failure(f"127.0.0.1:{port}")).endswith(f"127.0.0.1:{port}: Connection refused")
    assert (await failure(f"localhost:{port}")).endswith("Connection refused")
    assert (await failure(f"unix:{tmp_path}/none")).endswith("there is no such socket")
    assert "no address" in await failure("nonsense")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak HTTP/2"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "does not speak HTTP/2"),
        (b"", "the peer closed the connection"),
    ],
)
async def test_something_else_listens(answer: bytes, words: str) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    assert words in await failure(address)
    listener.close()


async def test_a_server_that_greets_and_closes_is_not_tried_for_ever() -> None:
    hello = Connection(client=False, streams_max=10)
    hello.start()
    attempts = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(1)
        writer.write(b"".join(hello.out))
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    assert await failure(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    assert len(attempts) < 3
    listener.close()


async def test_a_web_server_is_named() -> None:
    block = b"\x00\x07:status\x03404\x00\x0ccontent-type\x09text/html"
    connection = Connection(client=False, streams_max=10)
    async with raw(connection) as (address, protocols), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Echo")(b"x"))
        await until(lambda: channel._link is not None and bool(channel._link.streams))
        protocols[0].write(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block))
        protocols[0].write(frames.frame(frames.DATA, 0, 1, b"<html>"))
        with pytest.raises(grpc.aio.AioRpcError, match="HTTP status 404") as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_status_that_comes_after_the_reply_is_waited_for() -> None:
    head = b"\x00\x07:status\x03200\x00\x0ccontent-type\x10application/grpc"
    done = b"\x00\x0bgrpc-status\x010"
    connection = Connection(client=False, streams_max=10)
    async with raw(connection) as (address, protocols), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Echo")(b"x", timeout=5))
        await until(lambda: channel._link is not None and bool(channel._link.streams))
        protocols[0].write(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, head))
        protocols[0].write(frames.frame(frames.DATA, 0, 1, b"\0\0\0\0\x02hi"))
        await until(lambda: channel._link.streams[1]._waiting)
        await asyncio.sleep(0.01)  # the loop turns while the call waits
        assert not call.done()
        protocols[0].write(frames.frame(frames.HEADERS, 5, 1, done))
        assert await call == b"hi"


async def test_a_server_that_leaves_with_an_unknown_code() -> None:
    connection = Connection(client=False, streams_max=10)
    async with raw(connection) as (address, protocols), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Echo")(b"x"))
        await until(lambda: channel._link is not None and bool(channel._link.streams))
        protocols[0].write(frames.goaway(1, 4711))
        protocols[0].close()
        with pytest.raises(grpc.aio.AioRpcError, match="code 4711"):
            await call


class raw:  # noqa: N801  # used as a function
    """A server that greets and then says only what the test writes."""

    def __init__(self, connection: Connection) -> None:
        connection.start()
        self._hello = b"".join(connection.out)
        self._writers: list[Any] = []

    async def __aenter__(self) -> tuple[str, list[Any]]:
        self._listener = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return f"127.0.0.1:{self._listener.sockets[0].getsockname()[1]}", self._writers

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for writer in self._writers:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(self._hello)
        await reader.read(-1)


def test_bounds_are_as_stated() -> None:
    assert clientcall.MESSAGE_BYTES_MAX == 64 << 20
