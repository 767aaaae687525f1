"""Servers and channels of both makes, ours and grpcio's, with the same handlers on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from holdfast.api.transport.channel import Channel
from holdfast.api.transport.server import Bounds, Server

OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.so_reuseport", 0),
]


class Handlers:
    """One of each kind, and what they saw. release: what `Wait` waits for."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.release = asyncio.Event()
        self.at_once = 0
        self.most = 0

    async def echo(self, data: bytes, context: Any) -> bytes:
        self.seen.append(tuple(context.invocation_metadata() or ()))
        return data

    async def sized(self, data: bytes, _context: Any) -> bytes:
        return bytes(int(data))

    async def wait(self, data: bytes, _context: Any) -> bytes:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.began.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.at_once -= 1
        return data

    async def fail(self, data: bytes, context: Any) -> bytes:
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION,
            "nicht möglich: 100 %\n日本",
            (("why-bin", b"\0\xff"), ("hint", "later")),
        )
        raise AssertionError

    async def broken(self, data: bytes, context: Any) -> bytes:
        raise RuntimeError("a secret")

    async def gives_up(self, data: bytes, context: Any) -> bytes:
        raise asyncio.CancelledError

    async def coded(self, data: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("gone")
        return data

    async def count(self, data: bytes, _context: Any) -> AsyncIterator[bytes]:
        for number in range(int(data)):
            yield b"%d" % number

    async def large(self, data: bytes, context: Any) -> AsyncIterator[bytes]:
        """Endless; `seen` has how many were written."""
        self.began.set()
        try:
            while True:
                yield bytes(int(data))
                self.seen.append(1)
        finally:
            self.cancelled.set()

    async def total(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return b"%d" % sum([len(one) async for one in requests])

    async def chat(self, requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        try:
            async for one in requests:
                yield one.upper()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def talk(self, _requests: Any, context: Any) -> None:
        self.began.set()
        try:
            while (one := await context.read()) is not grpc.aio.EOF:
                await context.write(one)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def deaf(self, _requests: Any, context: Any) -> None:
        """Never reads what is sent to it, until released."""
        self.began.set()
        await self.release.wait()

    async def leaves(self, _requests: Any, context: Any) -> None:
        await context.read()
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    def generic(self) -> grpc.GenericRpcHandler:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        methods: dict[str, Any] = {
            name.title().replace("_", ""): unary(getattr(self, name))
            for name in ("echo", "sized", "wait", "fail", "broken", "gives_up", "coded")
        }
        for name in ("count", "large"):
            methods[name.title()] = grpc.unary_stream_rpc_method_handler(getattr(self, name))
        for name in ("chat", "talk", "deaf", "leaves"):
            methods[name.title()] = stream(getattr(self, name))
        methods["Total"] = grpc.stream_unary_rpc_method_handler(self.total)
        return grpc.method_handlers_generic_handler("t.T", methods)


@asynccontextmanager
async def ours(bounds: Bounds = Bounds()) -> AsyncIterator[tuple[Handlers, str, Server]]:  # noqa: B008
    """Our server on a free port."""
    handlers, server = Handlers(), Server(bounds)
    server.add_generic_rpc_handlers((handlers.generic(),))
    address = await server.listen("127.0.0.1:0")
    try:
        yield handlers, address, server
    finally:
        await server.stop()
        assert not server._links
        assert not server._tasks


@asynccontextmanager
async def grpcios() -> AsyncIterator[tuple[Handlers, str]]:
    """grpc.aio's server on a free port."""
    handlers = Handlers()
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((handlers.generic(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield handlers, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def ends(makes: str) -> AsyncIterator[tuple[Handlers, Any]]:
    """Handlers and a channel to them. makes: "client-server", each "ours" or "grpcio"."""
    client, _, make = makes.partition("-")
    async with (
        ours() if make == "ours" else grpcios() as served,
        connect(client, served[1]) as channel,
    ):
        yield served[0], channel


def connect(make: str, address: str) -> Any:
    """A channel of either make."""
    if make == "ours":
        return Channel(address)
    return grpc.aio.insecure_channel(address, options=OPTIONS)


async def until(wanted: Callable[[], bool], turns: int = 2000) -> None:
    """Let the loop turn until it is so."""
    for _ in range(turns):
        if wanted():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to be so")
