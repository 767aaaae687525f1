"""The calling end: one connection to an address, opened when first needed and again when lost.

Has the methods that generated stubs use. A call that finds no connection waits for the attempt
under way; after a failed one the next calls fail with its reason until it is time to try again.
A connection stands when the server's SETTINGS came: from then on its bounds are known, and a
server that speaks something else, or refuses our certificate, has shown it.
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

from holdfast.api.transport import failures, metadata
from holdfast.api.transport.clientcall import (
    Ask,
    BidirectionalCall,
    ClientCall,
    Method,
    OneReplyCall,
    ReplyStream,
    failed,
)
from holdfast.api.transport.http2 import fields
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import DataReceived, HeadersReceived, StreamEvent
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import MessageError
from holdfast.api.transport.unary import UnaryUnary

CONNECT_TIMEOUT_S = 3.0
"""TCP, TLS and SETTINGS; below a loaded server's handshake no attempt would ever succeed."""
AGAIN_FIRST_S = 0.05
AGAIN_MAX_S = 0.2
WAITING_MAX = 4096
"""Calls that wait because the server takes no more streams at a time."""
HELD_BYTES_MAX = 256 << 20
"""Replies that were not read, on all streams of a connection; four of the largest."""


class Channel:
    """Calls to one address. Closing it ends those under way."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        """address: "host:port" or "unix:/path". tls: None = none."""
        self.address = address
        self._tls = tls
        self._link: Link | None = None
        self._links: dict[Link, None] = {}  # those that are left included
        self._connecting: Future[Link | None] | None = None
        self._failure = ""
        self._again_at = 0.0
        self._pause_s = AGAIN_FIRST_S
        self._waiting: deque[Future[None]] = deque()  # for a stream; set when one ends
        self._greeting: dict[Link, Future[str]] = {}  # set by SETTINGS, or by the end with why
        self._blocks: dict[str, bytes] = {}  # header fields by method: as many as stubs have
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def close(self, _grace: float | None = None) -> None:
        """End every call and the connection."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        links = list(self._links)
        for link in links:
            for stream in list(link.streams.values()):
                if isinstance(stream, ClientCall):
                    stream.broken(grpc.StatusCode.CANCELLED, "the channel was closed")
            link.close("the channel was closed")
        self._wake_all()
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
        return UnaryUnary(self, Method(path, request_serializer, response_deserializer))

    def unary_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> Callable[..., ReplyStream]:
        """A method of one request and a stream of replies."""
        method = Method(path, request_serializer, response_deserializer)

        def call(request: Any, timeout: float | None = None, metadata: Any = None) -> ReplyStream:
            data = request_serializer(request) if request_serializer else request
            return ReplyStream(self, self.ask(method, metadata, timeout), data)

        return call

    def stream_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> Callable[..., BidirectionalCall]:
        """A method with a stream both ways."""
        method = Method(path, request_serializer, response_deserializer)

        def call(
            requests: Any = None, timeout: float | None = None, metadata: Any = None
        ) -> BidirectionalCall:
            return BidirectionalCall(self, self.ask(method, metadata, timeout), requests)

        return call

    def stream_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        **_: Any,
    ) -> Callable[..., OneReplyCall]:
        """A method of a stream of requests and one reply."""
        method = Method(path, request_serializer, response_deserializer)

        def call(
            requests: Any = None, timeout: float | None = None, metadata: Any = None
        ) -> OneReplyCall:
            return OneReplyCall(self, self.ask(method, metadata, timeout), requests)

        return call

    # --- for calls

    def ask(self, method: Method, extra: metadata.Metadata | None, timeout_s: float | None) -> Ask:
        """A call that is about to begin. Raises ValueError for metadata that may not be sent."""
        block = self._blocks.get(method.path) or self._block(method.path)
        deadline = None
        if extra:
            block += fields.encode(metadata.metadata_fields(extra))
            if len(block) > metadata.BLOCK_BYTES_MAX:
                raise ValueError(f"{len(block)} bytes of metadata are too many")
        if timeout_s is not None:
            block += fields.encode((metadata.timeout_field(timeout_s),))
            deadline = asyncio.get_running_loop().time() + timeout_s
        return Ask(method, block, deadline)

    def _block(self, path: str) -> bytes:
        scheme = "https" if self._tls is not None else "http"
        authority = "localhost" if self.address.startswith("unix:") else self.address
        block = fields.encode(metadata.request_fields(path, authority, scheme))
        self._blocks[path] = block
        return block

    def free(self) -> Link | None:
        """The link, if it takes another stream and nobody waited for that before."""
        link = self._link
        if link is None or self._waiting or link.leaving or link.connection.exhausted:
            return None
        return link if link.connection.may_open else None

    async def ready(self, deadline: float | None) -> Link:
        """A link with room for another stream, waited for until then (the loop's time). Raises
        AioRpcError."""
        link = self.free()
        if link is not None:
            return link
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ready()
        except TimeoutError:
            raise failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None

    def forget(self) -> None:
        """A stream has ended: another may begin."""
        while self._waiting:
            one = self._waiting.popleft()
            if not one.done():
                one.set_result(None)
                return

    async def _ready(self) -> Link:
        waited = False
        while True:
            link = self._link
            if link is not None and link.connection.exhausted:
                self._link = None
                link.leave()
            if link is None or link.leaving or link.connection.exhausted:
                link = await self._connected()
                if link.leaving:  # it was lost at once: another attempt might end the same way
                    raise failed(grpc.StatusCode.UNAVAILABLE, link.why or failures.CLOSED)
            elif link.connection.may_open and (waited or not self._waiting):
                return link
            else:
                await self._turn(waited)
                waited = True

    async def _turn(self, again: bool) -> None:
        """Until a stream has ended. again: a turn came to nothing, the next is ours."""
        if len(self._waiting) >= WAITING_MAX:
            raise failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls wait for the server")
        turn: Future[None] = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.forget()  # it was our turn: hand it on
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def _connected(self) -> Link:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise failed(grpc.StatusCode.CANCELLED, "the channel is closed")
        if self._connecting is None:
            if self._failure and loop.time() < self._again_at:
                raise failed(grpc.StatusCode.UNAVAILABLE, self._failure)
            self._connecting = loop.create_future()
            self._task = loop.create_task(self._connect(self._connecting))
        link = await asyncio.shield(self._connecting)
        if link is None:
            if self._closed:
                raise failed(grpc.StatusCode.CANCELLED, "the channel was closed")
            raise failed(grpc.StatusCode.UNAVAILABLE, self._failure)
        return link

    async def _connect(self, done: Future[Link | None]) -> None:
        """One attempt; settles `done` with the link, or None."""
        link = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                link = await self._dial()
            if link.leaving:
                self._fail(link.why or failures.CLOSED)
            else:
                self._link = link
                self._failure, self._pause_s = "", AGAIN_FIRST_S
        except TimeoutError:
            self._fail(f"no answer within {CONNECT_TIMEOUT_S:.0f} s")
        except (OSError, ValueError) as error:  # ssl's errors are of the first
            self._fail(failures.of_attempt(error))
        finally:
            self._connecting = None
            if not done.done():
                done.set_result(link)

    def _fail(self, why: str) -> None:
        self._failure = f"failed to connect to {self.address}: {why}"
        self._again_at = asyncio.get_running_loop().time() + self._pause_s
        self._pause_s = min(self._pause_s * 2, AGAIN_MAX_S)

    async def _dial(self) -> Link:
        """A connection whose server has sent its SETTINGS."""
        loop = asyncio.get_running_loop()
        link = Link(Connection(client=True, streams_max=0), self, HELD_BYTES_MAX)
        greeting = self._greeting[link] = loop.create_future()
        try:
            await self._open(link)
            why = await greeting
            if why == failures.CLOSED and self._tls is not None:
                # A server says what it has against a client's certificate after its own part of
                # the handshake, and what it says is lost when it closes at once.
                why = "the server closed after the handshake: perhaps it does not take this client"
            if why:
                raise ConnectionAbortedError(why)
        except BaseException:
            link.abort("the attempt was given up")
            raise
        finally:
            del self._greeting[link]
        return link

    async def _open(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        if self.address.startswith("unix:"):
            path = self.address.removeprefix("unix:")
            await loop.create_unix_connection(lambda: link, path)
            return
        host, _, port = self.address.rpartition(":")
        host = host.strip("[]")
        name = host if self._tls is not None else None
        await loop.create_connection(
            lambda: link, host, int(port), ssl=self._tls, server_hostname=name
        )
        tls = link.transport_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            raise ConnectionAbortedError("it does not speak HTTP/2 there")

    # --- for links

    def opened(self, link: Link) -> None:
        """The transport stands."""
        self._links[link] = None

    def settled(self, link: Link, first: bool) -> None:
        """Its bounds are known, or others than before."""
        greeting = self._greeting.get(link)
        if first and greeting is not None and not greeting.done():
            greeting.set_result("")
        self._wake_all()

    def went_away(self, link: Link) -> None:
        """The server takes no more calls on this one: the next call opens another."""
        self._left(link)

    def closed(self, link: Link, why: str) -> None:
        """It is lost, with the calls that were on it."""
        self._links.pop(link, None)
        greeting = self._greeting.get(link)
        if greeting is not None and not greeting.done():
            greeting.set_result(why)
        self._left(link)

    def _left(self, link: Link) -> None:
        if self._link is link:
            self._link = None
            self._wake_all()

    def happened(self, link: Link, event: StreamEvent) -> None:
        """Something came for a call."""
        call = link.streams.get(event.stream)
        if not isinstance(call, ClientCall):
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
