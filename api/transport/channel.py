"""The calling end: one connection to an address, opened when first needed and again when lost.

Has the methods that generated stubs use. A call that finds no connection waits for the attempt
under way; after a failed one the next calls fail with its reason until it is time to try again.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import Future
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from holdfast.api.transport import fields, metadata
from holdfast.api.transport.clientcall import BidirectionalCall, ClientCall, ReplyStream, failed
from holdfast.api.transport.connection import (
    Connection,
    DataReceived,
    HeadersReceived,
    StreamEvent,
)
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import MessageError, framed

CONNECT_TIMEOUT_S = 3.0
"""TCP and TLS; below a loaded server's handshake no attempt would ever succeed."""
AGAIN_FIRST_S = 0.05
AGAIN_MAX_S = 0.2
MESSAGE_BYTES_MAX = 64 << 20
WAITING_MAX = 4096
"""Calls that wait because the server takes no more streams at a time."""

Fields = tuple[tuple[str, str | bytes], ...]


class Channel:
    """Calls to one address. Closing it ends those under way."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        """address: "host:port" or "unix:/path". tls: None = none."""
        self.address = address
        self._tls = tls
        self._link: Link | None = None
        self._links: set[Link] = set()  # those that are left included
        self._connecting: Future[Link] | None = None
        self._failure = ""
        self._again_at = 0.0
        self._pause_s = AGAIN_FIRST_S
        self._waiting: deque[Future[None]] = deque()  # for a stream; set when one ends
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def close(self, _grace: float | None = None) -> None:
        """End every call and the connection."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        links = list(self._links)
        for link in links:
            link.close("the channel was closed")
        for one in self._waiting:
            if not one.done():
                one.set_result(None)
        await asyncio.gather(*(link.ended() for link in links))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- methods, as generated stubs ask for them

    def unary_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> UnaryUnary:
        """A method of one request and one reply."""
        return UnaryUnary(self, path, request_serializer, response_deserializer)

    def unary_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> Callable[..., ReplyStream]:
        """A method of one request and a stream of replies."""

        def call(request: Any, timeout: float | None = None, metadata: Any = None) -> ReplyStream:
            data = request_serializer(request) if request_serializer else request
            block = self.block(path, metadata, timeout)
            return ReplyStream(self, block, response_deserializer, data)

        return call

    def stream_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> Callable[..., BidirectionalCall]:
        """A method with a stream both ways."""

        def call(
            requests: Any = None,
            timeout: float | None = None,
            metadata: Any = None,
        ) -> BidirectionalCall:
            block = self.block(path, metadata, timeout)
            return BidirectionalCall(
                self, block, response_deserializer, request_serializer, requests
            )

        return call

    stream_unary = stream_stream

    # --- for calls

    def block(self, path: str, extra: Fields | None, timeout_s: float | None) -> bytes:
        """The header block of a call."""
        scheme = "https" if self._tls is not None else "http"
        authority = "localhost" if self.address.startswith("unix:") else self.address
        block = fields.encode(metadata.request_fields(path, authority, scheme))
        if extra:
            block += fields.encode(metadata.metadata_fields(extra))
        if timeout_s is not None:
            block += fields.encode((metadata.timeout_field(timeout_s),))
        return block

    async def ready(self) -> Link:
        """A link with room for another stream. Raises AioRpcError Unavailable."""
        while True:
            link = self._link
            if link is None or link.leaving:
                link = await self._connected()
            if link.connection.may_open:
                return link
            await self._turn()

    def forget(self) -> None:
        """A stream has ended: another may begin."""
        while self._waiting:
            one = self._waiting.popleft()
            if not one.done():
                one.set_result(None)
                return

    async def _turn(self) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls wait for the server")
        turn: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    async def _connected(self) -> Link:
        if self._closed:
            raise failed(grpc.StatusCode.CANCELLED, "the channel is closed")
        loop = asyncio.get_running_loop()
        if self._connecting is None:
            if self._failure and loop.time() < self._again_at:
                raise failed(grpc.StatusCode.UNAVAILABLE, self._failure)
            self._connecting = loop.create_future()
            self._task = loop.create_task(self._connect(self._connecting))
        link = await asyncio.shield(self._connecting)
        if link is None:
            raise failed(grpc.StatusCode.UNAVAILABLE, self._failure)
        return link

    async def _connect(self, done: Future[Any]) -> None:
        """One attempt; settles `done` with the link, or None."""
        link = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                link = await self._dial()
            self._failure, self._pause_s = "", AGAIN_FIRST_S
        except TimeoutError:
            self._fail(f"no answer within {CONNECT_TIMEOUT_S:.0f} s")
        except (OSError, ssl.SSLError, ssl.CertificateError) as error:
            self._fail(_explained(error))
        finally:
            self._connecting = None
            if not done.done():
                done.set_result(link)

    def _fail(self, why: str) -> None:
        self._failure = f"failed to connect to {self.address}: {why}"
        self._again_at = asyncio.get_running_loop().time() + self._pause_s
        self._pause_s = min(self._pause_s * 2, AGAIN_MAX_S)

    async def _dial(self) -> Link:
        loop = asyncio.get_running_loop()

        def make() -> Link:
            return Link(Connection(client=True, streams_max=0), self)

        if self.address.startswith("unix:"):
            path = self.address.removeprefix("unix:")
            _, link = await loop.create_unix_connection(make, path)
        else:
            host, _, port = self.address.rpartition(":")
            host = host.strip("[]")
            name = host if self._tls is not None else None
            _, link = await loop.create_connection(
                make, host, int(port), ssl=self._tls, server_hostname=name
            )
        return link

    # --- for links

    def opened(self, link: Link) -> None:
        """The connection stands."""
        self._links.add(link)
        self._link = link

    def went_away(self, link: Link) -> None:
        """The server takes no more calls on this one: the next call opens another."""
        if self._link is link:
            self._link = None

    def closed(self, link: Link, _why: str) -> None:
        """It is lost, with the calls that were on it."""
        self._links.discard(link)
        if self._link is link:
            self._link = None
        self.forget()

    def happened(self, link: Link, event: StreamEvent) -> None:
        """Something came for a call."""
        call = link.streams.get(event.stream)
        if not isinstance(call, ClientCall):
            if isinstance(event, DataReceived):
                link.connection.read(event.stream, event.size)
            return
        if isinstance(event, DataReceived):
            try:
                call.deliver(event)
            except MessageError as error:
                call.broken(grpc.StatusCode[error.code], str(error))
        elif isinstance(event, HeadersReceived):
            call.headers(event)
        else:
            call.was_reset(event.code)


class UnaryUnary:
    """A method of one request and one reply, on one channel."""

    def __init__(
        self,
        channel: Channel,
        path: str,
        encode: Callable[[Any], bytes] | None,
        decode: Callable[[bytes], Any] | None,
    ) -> None:
        self._channel = channel
        self._path = path
        self._encode = encode
        self._decode = decode

    async def __call__(
        self,
        request: Any,
        timeout: float | None = None,  # the stubs' calling convention
        metadata: Any = None,
    ) -> Any:
        """Call and wait for the reply. Raises grpc.aio.AioRpcError."""
        data = self._encode(request) if self._encode is not None else request
        block = self._channel.block(self._path, metadata, timeout)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                link = await self._channel.ready()
        except TimeoutError:
            raise failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
        number = link.connection.open(block)
        link.connection.send_data(number, framed(data), ended=True)
        call = ClientCall(link, number, MESSAGE_BYTES_MAX, self._channel)
        link.flush()
        timer = loop.call_later(timeout, call.too_late) if timeout is not None else None
        try:
            while not call.finished:
                await call.wait()
            reply = call.only()
        finally:
            if timer is not None:
                timer.cancel()
            call.cancel()
        return self._decode(reply) if self._decode is not None else reply


def _explained(error: Exception) -> str:
    """In words that say what is wrong on whose side."""
    if isinstance(error, ConnectionRefusedError):
        return "Connection refused"
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}: {getattr(error, 'verify_message', '')}".rstrip(": ")
    return str(error) or type(error).__name__
