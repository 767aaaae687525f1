"""The serving end: listeners, and the handlers of services by the path of a method.

Takes the handlers that grpcio's generated code and `grpc.method_handlers_generic_handler` make.
One task a call; it is cancelled when the client goes or its deadline passes.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from asyncio import Task
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import structlog

from holdfast.api.transport import metadata
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import (
    DataReceived,
    HeadersReceived,
    StreamEvent,
    StreamReset,
)
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import MessageError
from holdfast.api.transport.servercall import ServerCall

HANDSHAKE_TIMEOUT_S = 10.0
BACKLOG = 1024
HANDLERS_END_S = 2.0
"""`stop` waits so long for handlers that were cancelled; one that goes on is named in the log."""

log = structlog.get_logger()


class Bounds(NamedTuple):
    """What clients may ask for. Of one connection: streams, the calls under way (twice as many
    handlers, with those that are being cancelled); request_bytes, of a message; held_bytes, of
    requests that no handler has read. Of the server: connections."""

    streams: int = 2048
    request_bytes: int = 4 << 20
    held_bytes: int = 128 << 20
    connections: int = 16_384


class _Details(NamedTuple):
    """What a generic handler is asked with (grpc.HandlerCallDetails)."""

    method: str
    invocation_metadata: metadata.Metadata


class Server:
    """Serves on any number of addresses. Add handlers first, then `listen`, at last `stop`."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008  # immutable
        self._bounds = bounds
        self._generic: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, Any] = {}
        self._links: dict[Link, None] = {}
        self._tasks: dict[Task[None], None] = {}  # handlers, also of links that are gone
        self._made: weakref.WeakSet[Link] = weakref.WeakSet()  # TLS does not stand yet
        self._listeners: list[asyncio.Server] = []
        self._ended = asyncio.Event()  # set by `stop`; `wait` waits
        self._all_ended = asyncio.Event()  # set when no handler is left; `stop` waits
        self._idle: asyncio.Event | None = None  # set when the last link is gone; `stop` waits

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """As grpc.aio.Server."""
        self._generic += handlers

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """As grpc.aio.Server; generated code calls it beside the other."""
        for name, handler in handlers.items():
            self._methods[f"/{service}/{name}"] = handler

    async def listen(self, address: str, tls: ssl.SSLContext | None = None) -> str:
        """Serve on "host:port" (port 0 = a free one) or "unix:/path"; the address in use.

        Raises OSError when it cannot be used.
        """
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"ssl": tls, "backlog": BACKLOG}
        if tls is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_TIMEOUT_S
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            server = await loop.create_unix_server(self._link, path, **options)
        else:
            host, _, port = address.rpartition(":")
            server = await loop.create_server(self._link, host.strip("[]"), int(port), **options)
            address = f"{host}:{server.sockets[0].getsockname()[1]}"
        self._listeners.append(server)
        return address

    async def stop(self, grace_s: float | None = None) -> None:
        """Take nothing new; let calls finish for so long (None = not at all), then cut them.

        Ends within grace_s, HANDLERS_END_S and half a second, whatever clients and handlers do.
        """
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._idle is None:
            self._idle = asyncio.Event()
        await asyncio.sleep(0)  # connections just accepted are made links in the next turn
        for link in list(self._links):
            link.leave()
        if self._links and grace_s:
            try:
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
            except TimeoutError:
                pass  # the grace is over, which is what was waited for
        for link in list(self._links):
            for call in list(link.streams.values()):
                assert isinstance(call, ServerCall)
                call.end(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        links = [*self._links, *self._made]
        for link in links:
            link.close("the server is stopping")
        await self._handlers_end()
        await asyncio.gather(*(link.ended() for link in links))
        self._ended.set()

    async def _handlers_end(self) -> None:
        """Cancel what is left and wait for it; not by `gather`, which would wait for ever."""
        for task in list(self._tasks):
            task.cancel()
        try:
            async with asyncio.timeout(HANDLERS_END_S):
                while self._tasks:
                    self._all_ended.clear()
                    await self._all_ended.wait()
        except TimeoutError:
            left = [str(task.get_coro()) for task in self._tasks]
            log.error("handlers did not end when cancelled", handlers=left)

    async def wait_for_termination(self) -> None:
        """Until `stop` has ended."""
        await self._ended.wait()

    def _link(self) -> Link:
        bounds = self._bounds
        connection = Connection(client=False, streams_max=bounds.streams)
        link = Link(connection, self, bounds.held_bytes)
        self._made.add(link)
        return link

    # --- for links

    def opened(self, link: Link) -> None:
        """A client has connected."""
        self._made.discard(link)
        self._links[link] = None
        if self._idle is not None:
            link.abort("the server is stopping")
        elif len(self._links) > self._bounds.connections:
            link.abort("too many connections")

    def settled(self, _link: Link, _first: bool) -> None:
        """A client's bounds are known; `connection` keeps to them."""

    def closed(self, link: Link, _why: str) -> None:
        """A client has gone."""
        self._links.pop(link, None)
        if self._idle is not None and not self._links:
            self._idle.set()

    def went_away(self, link: Link) -> None:
        """A client will open no more streams."""

    def happened(self, link: Link, event: StreamEvent) -> None:
        """An event on a stream."""
        call = link.streams.get(event.stream)
        if isinstance(event, DataReceived):
            if isinstance(call, ServerCall):
                _deliver(call, event)
        elif isinstance(event, HeadersReceived):
            if call is None:
                self._begin(link, event)
            elif isinstance(call, ServerCall) and event.ended:
                _deliver(call, DataReceived(event.stream, b"", True, 0))
        elif isinstance(event, StreamReset) and isinstance(call, ServerCall):
            call.cancelled_by_peer()

    # --- for calls

    def began(self, task: Task[None], link: Link) -> None:
        """A handler's task: the loop alone would let it be collected."""
        self._tasks[task] = None
        link.busy += 1

    def ended(self, task: Task[None], link: Link) -> None:
        """It has ended."""
        del self._tasks[task]
        link.busy -= 1
        if not self._tasks:
            self._all_ended.set()

    def _begin(self, link: Link, event: HeadersReceived) -> None:
        asked = metadata.request(event.block)
        call = ServerCall(link, event.stream, asked, self, self._bounds.request_bytes)
        link.streams[event.stream] = call
        if asked.refused:
            call.refuse(asked.refused)
            return
        if link.busy >= 2 * self._bounds.streams:
            call.end(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls are being cancelled")
            return
        handler = self._methods.get(asked.path)
        if handler is None:
            handler = self._find(asked)
        if handler is None:
            call.end(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
            return
        call.begin(handler)
        if event.ended:
            _deliver(call, DataReceived(event.stream, b"", True, 0))

    def _find(self, asked: metadata.Request) -> Any:
        for generic in self._generic:
            details: Any = _Details(asked.path, asked.metadata)
            handler = generic.service(details)
            if handler is not None:
                self._methods[asked.path] = handler
                return handler
        return None


def _deliver(call: ServerCall, event: DataReceived) -> None:
    try:
        call.deliver(event)
    except MessageError as error:
        call.end(grpc.StatusCode[error.code], str(error))
        return
    call.go_on()
