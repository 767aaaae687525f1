"""The serving end against clients that hang, flood or break the rules; its end; its services."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from holdfast.api.transport import link as links
from holdfast.api.transport import server as serving
from holdfast.api.transport.channel import Channel
from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import Event, HeadersReceived, StreamReset, WentAway
from holdfast.api.transport.http2.fields import encode
from holdfast.api.transport.http2.frames import Code
from holdfast.api.transport.messages import framed
from holdfast.api.transport.server import Bounds, Server
from holdfast.control.rpc.server import Listener, serve
from tests.api.transport.http2.peers import GREETING, headers
from tests.api.transport.serving import OPTIONS, ours, until


def asking(path: bytes, *more: tuple[bytes, bytes]) -> bytes:
    return encode(
        [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path),
            (b"content-type", b"application/grpc"),
            *more,
        ]
    )


class Hand:
    """A client by hand: writes frames, reads events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.seen: list[Event] = []
        self._connection = Connection(client=True, streams_max=0)
        self._connection._next = 1 << 20  # every stream we write of is known

    def say(self, *sent: bytes) -> None:
        self.writer.write(b"".join(sent))

    async def hear(self, kind: type) -> Any:
        """The next event of this kind."""
        async with asyncio.timeout(5):
            while True:
                for event in self.seen:
                    if isinstance(event, kind):
                        self.seen.remove(event)
                        return event
                data = await self.reader.read(65536)
                assert data, "the server closed"
                # Streams are opened by hand: let the reading end know of them.
                for stream in range(1, 60, 2):
                    if stream not in self._connection._open:
                        self._connection._open.add(stream)
                        self._connection._incoming[stream] = _endless()
                self.seen += self._connection.receive(data)

    async def closed(self) -> None:
        """Until the server has closed."""
        async with asyncio.timeout(5):
            while await self.reader.read(65536):
                pass


def _endless() -> Any:
    from holdfast.api.transport.http2.windows import Allowance

    return Allowance(1 << 30)


@asynccontextmanager
async def by_hand(address: str) -> Any:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    hand = Hand(reader, writer)
    hand.say(GREETING)
    try:
        yield hand
    finally:
        writer.close()


async def test_a_client_that_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "GREETING_TIMEOUT_S", 0.05)
    async with ours() as (_, address, server):
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(frames.PREFACE[:10])
        while await asyncio.wait_for(reader.read(1000), 5):
            pass
        assert not server._links
        writer.close()


async def test_a_client_that_breaks_the_rules_is_told() -> None:
    async with ours() as (_, address, server), by_hand(address) as hand:
        hand.say(frames.frame(frames.DATA, 0, 0, b"x"))
        gone = await hand.hear(WentAway)
        assert (gone.code, gone.text) == (Code.PROTOCOL_ERROR, "data on stream 0")
        await hand.closed()
        await until(lambda: not server._links)


async def test_a_client_that_breaks_the_rules_and_does_not_read_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "CLOSING_S_MAX", 0.05)
    async with ours() as (_, address, server), by_hand(address) as hand:
        window = frames.settings({frames.Setting.INITIAL_WINDOW_SIZE: 1 << 30})
        hand.say(window, frames.window_update(0, 1 << 30))
        hand.say(headers(1, block=asking(b"/t.T/Sized")))
        hand.say(frames.frame(frames.DATA, 1, 1, framed(b"%d" % (60 << 20))))
        await until(lambda: any(link._paused for link in server._links))
        hand.say(frames.frame(frames.DATA, 0, 0, b"x"))
        await until(lambda: not server._links)


async def test_calls_that_are_reset_leave_nothing() -> None:
    async with ours() as (_handlers, address, server), by_hand(address) as hand:
        for stream in range(1, 400, 2):
            hand.say(headers(stream, block=asking(b"/t.T/Talk")))
            hand.say(frames.frame(frames.DATA, 0, stream, b"\0\0\0\0\x09part"))
            hand.say(frames.rst_stream(stream, Code.CANCEL))
        hand.say(frames.ping(b"12345678"))
        await until(lambda: any(link.connection.last_received == 399 for link in server._links))
        await until(lambda: not server._tasks)
        (link,) = server._links
        assert not link.streams
        assert (link.held_bytes, link.busy, link.connection.streams_open) == (0, 0, 0)
        account = link.connection._allowance
        assert account._left + account._used == account._size


async def test_rapid_resets_end_the_connection() -> None:
    async with ours() as (_, address, server), by_hand(address) as hand:
        stream = 1
        with pytest.raises((ConnectionError, AssertionError)):
            for _ in range(100):
                for _ in range(200):
                    hand.say(headers(stream, block=asking(b"/t.T/Talk")))
                    hand.say(frames.rst_stream(stream, Code.CANCEL))
                    stream += 2
                await hand.writer.drain()
                await asyncio.sleep(0)
                assert server._links
        await until(lambda: not server._tasks)


async def test_requests_that_are_no_grpc() -> None:
    async with ours() as (_, address, _), by_hand(address) as hand:
        hand.say(headers(1, ended=True, block=encode([(b":method", b"GET")])))
        assert (b":status", b"400") in (await hand.hear(HeadersReceived)).block.fields
        hand.say(headers(3, ended=True, block=asking(b"/t.T/Echo", (b"\xff-bin", b"x"))))
        assert (b":status", b"400") in (await hand.hear(HeadersReceived)).block.fields
        hand.say(headers(5, ended=True, block=asking(b"/t.T/Echo")))
        assert (b"grpc-status", b"13") in (await hand.hear(HeadersReceived)).block.fields


async def test_two_requests_where_one_is_wanted() -> None:
    async with ours() as (_, address, _), by_hand(address) as hand:
        hand.say(headers(1, block=asking(b"/t.T/Echo")))
        hand.say(frames.frame(frames.DATA, 1, 1, framed(b"1") + framed(b"2")))
        assert (b"grpc-status", b"13") in (await hand.hear(HeadersReceived)).block.fields


async def test_an_answer_that_comes_early_stops_the_request() -> None:
    async with ours() as (_, address, _), by_hand(address) as hand:
        hand.say(headers(1, block=asking(b"/t.T/Echo")))
        hand.say(frames.frame(frames.DATA, 0, 1, b"\0\x7f\0\0\0"))
        ended = await hand.hear(HeadersReceived)
        assert (b"grpc-status", b"8") in ended.block.fields


async def test_unfinished_messages_together_have_a_bound() -> None:
    bounds = Bounds(held_bytes=600_000, request_bytes=1 << 20)
    async with ours(bounds) as (_, address, server), by_hand(address) as hand:
        begun = b"\0\x00\x0f\xff\xff" + bytes(16_000)
        for stream in range(1, 40, 2):
            hand.say(headers(stream, block=asking(b"/t.T/Echo")))
            hand.say(frames.frame(frames.DATA, 0, stream, begun))
            for _ in range(5):
                hand.say(frames.frame(frames.DATA, 0, stream, bytes(16_000)))
        refused = await hand.hear(HeadersReceived)
        assert (b"grpc-status", b"8") in refused.block.fields
        (link,) = server._links
        assert link.held_bytes < 700_000


async def test_requests_that_nobody_reads_have_a_bound() -> None:
    """At the bound of a link the connection's window stays closed until something is read."""
    async with (
        ours(Bounds(held_bytes=2 << 20)) as (handlers, address, server),
        Channel(address) as channel,
    ):
        calls = [channel.stream_stream("/t.T/Deaf")() for _ in range(30)]

        async def fill(call: Any) -> None:
            while True:
                await call.write(bytes(50_000))

        fillers = [asyncio.create_task(fill(call)) for call in calls]
        await until(lambda: any(one.held_bytes > 2 << 20 for one in server._links))
        (link,) = server._links
        for _ in range(50):
            await asyncio.sleep(0.002)
            assert link.held_bytes < 18 << 20
        handlers.release.set()
        await asyncio.gather(*fillers, return_exceptions=True)
        await until(lambda: link.held_bytes == 0)
        echo = channel.unary_unary("/t.T/Echo")
        for _ in range(20):  # more than the window: it was given back
            assert len(await echo(bytes(1 << 20), timeout=5)) == 1 << 20


async def test_a_client_that_does_not_read_its_replies_gets_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.api.transport.servercall.BACKLOG_BYTES_MAX", 100_000)
    async with ours() as (_, address, server), by_hand(address) as hand:
        hand.say(headers(1, block=asking(b"/t.T/Sized")))
        hand.say(frames.frame(frames.DATA, 1, 1, framed(b"300000")))
        await until(lambda: any(link.connection.unsent_bytes for link in server._links))
        hand.say(headers(3, block=asking(b"/t.T/Sized")))
        await hand.hear(HeadersReceived)
        assert (b"grpc-status", b"8") in (await hand.hear(HeadersReceived)).block.fields
        monkeypatch.setattr(links, "BACKLOG_BYTES_MAX", 100_000)
        hand.say(frames.ping(b"12345678"))
        await until(lambda: not server._links)


async def test_connections_have_a_bound() -> None:
    async with ours(Bounds(connections=2)) as (_, address, server):
        channels = [Channel(address) for _ in range(3)]
        for channel in channels[:2]:
            await channel.unary_unary("/t.T/Echo")(b"")
        with pytest.raises(grpc.aio.AioRpcError):
            await channels[2].unary_unary("/t.T/Echo")(b"")
        assert len(server._links) == 2
        for channel in channels:
            await channel.close()


# --- its end


async def test_it_ends_with_its_last_call() -> None:
    async with ours() as (handlers, address, server), Channel(address) as channel:
        call = asyncio.create_task(channel.unary_unary("/t.T/Wait")(b"x"))
        await handlers.began.wait()
        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0.02)
        handlers.release.set()
        assert await call == b"x"
        await asyncio.wait_for(stopping, 2)
        await asyncio.wait_for(server.wait_for_termination(), 1)


async def test_it_ends_in_time_with_clients_that_hang() -> None:
    loop = asyncio.get_running_loop()
    async with ours() as (handlers, address, server), by_hand(address) as hand:
        hand.say(headers(1, block=asking(b"/t.T/Deaf")))
        await handlers.began.wait()
        since = loop.time()
        await asyncio.gather(server.stop(0.1), server.stop(0.1))
        assert loop.time() - since < 1.5
        assert not server._links


async def test_it_ends_in_time_with_handlers_that_hang(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "HANDLERS_END_S", 0.05)
    caplog.set_level(logging.CRITICAL)
    begun, release = asyncio.Event(), asyncio.Event()

    async def stubborn(_data: bytes, _context: Any) -> bytes:
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return b""

    server = Server()
    methods = {"U": grpc.unary_unary_rpc_method_handler(stubborn)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", methods),))
    async with Channel(await server.listen("127.0.0.1:0")) as channel:
        call = asyncio.create_task(channel.unary_unary("/S/U")(b""))
        await begun.wait()
        since = asyncio.get_running_loop().time()
        await server.stop()
        assert asyncio.get_running_loop().time() - since < 1.5
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        release.set()
        await until(lambda: not server._tasks)


async def test_a_stream_is_ended_by_the_end() -> None:
    async with ours() as (handlers, address, server), Channel(address) as channel:
        call = channel.stream_stream("/t.T/Talk")()
        await call.write(b"x")
        await call.read()
        await server.stop()
        with pytest.raises(grpc.aio.AioRpcError, match="stopping"):
            await call.read()
        assert handlers.cancelled.is_set()


# --- its services, asked by grpcio's client


async def test_health_and_reflection() -> None:
    server = await serve([Listener("127.0.0.1:0")], [], ["t.T"])
    async with grpc.aio.insecure_channel(server.addresses[0], options=OPTIONS) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        reply = await health.Check(health_pb2.HealthCheckRequest(service="t.T"))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(health_pb2.HealthCheckRequest(service="t.T"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [one async for one in stub.ServerReflectionInfo(iter([ask]))]
        names = {one.name for one in answers[0].list_services_response.service}
        assert {"t.T", "grpc.health.v1.Health"} <= names
        stopping = asyncio.create_task(server.stop(1))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        await stopping


def test_an_event_of_ours_is_known() -> None:
    assert StreamReset(1, 0).code == Code.NO_ERROR
