"""One call at the serving end: what its handler sees as grpc.aio's ServicerContext.

`begin` is told the method's handler; a call with one request begins when that is whole, one with
a stream of them at once. Whatever way the handler ends, the client gets exactly one status.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import Task
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import grpc
import structlog

from holdfast.api.transport.http2 import fields
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import framed
from holdfast.api.transport.metadata import (
    Metadata,
    Request,
    Status,
    metadata_fields,
    status_fields,
)
from holdfast.api.transport.stream import Stream

BACKLOG_BYTES_MAX = 64 << 20
"""More than this that a client does not take, and its new calls are refused."""
_HEAD = [
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity"),
]
HEAD = fields.encode(_HEAD)
DONE = status_fields(Status(0, "", ()))

log = structlog.get_logger()


class Keeper(Protocol):
    """The server, as far as a call needs it."""

    def began(self, task: Task[None], link: Link) -> None:
        """A handler's task: it is kept until it has ended."""

    def ended(self, task: Task[None], link: Link) -> None:
        """It has, whatever became of its call."""


class RequestError(Exception):
    """A request that its method cannot read."""


class ServerCall(Stream):
    """A call under way; also its handler's context."""

    __slots__ = ("_deadline", "_details", "_finished", "_handler", "_head_sent", "_keeper",
                 "_status", "_trailing", "request", "task")  # fmt: skip

    def __init__(
        self, link: Link, number: int, request: Request, keeper: Keeper, bytes_max: int
    ) -> None:
        super().__init__(link, number, bytes_max)
        self.request = request
        self.task: Task[None] | None = None
        self._keeper = keeper
        self._handler: Any = None
        self._head_sent = False
        self._finished = False  # the status is sent, or nobody waits for it
        self._deadline: asyncio.TimerHandle | None = None
        self._status: grpc.StatusCode = grpc.StatusCode.OK
        self._details = ""
        self._trailing: Metadata = ()

    # --- for the server

    def begin(self, handler: Any) -> None:
        """The method is known."""
        self._handler = handler
        loop = asyncio.get_running_loop()
        if self.request.timeout_s is not None:
            self._deadline = loop.call_later(self.request.timeout_s, self._too_late)
        if self.link.connection.unsent_bytes > BACKLOG_BYTES_MAX:
            self.end(grpc.StatusCode.RESOURCE_EXHAUSTED, "read the replies to earlier calls first")
        elif handler.request_streaming:
            self._start(self._run(None))

    def go_on(self) -> None:
        """Something came: a call with one request begins when it is whole."""
        handler = self._handler
        if handler is None or self.task is not None or not self.over or self._finished:
            return
        data = self.take()
        if data is None:
            self.end(grpc.StatusCode.INTERNAL, "the request is missing")
        elif self.take() is not None:
            self.end(grpc.StatusCode.INTERNAL, "there is more than one request")
        elif handler.response_streaming:
            self._start(self._run(data))
        else:
            self._start(self._answer(data))

    def cancelled_by_peer(self) -> None:
        """The client does not want it any more."""
        self._leave()

    def lost(self, _why: str) -> None:
        """The link is gone."""
        self._leave()

    def refuse(self, http_status: bytes) -> None:
        """The request is no gRPC."""
        block = fields.encode([(b":status", http_status)])
        self.link.connection.send_headers(self.number, block, ended=True)
        self._close()

    def end(self, code: grpc.StatusCode, details: str, trailing: Metadata = ()) -> None:
        """End the call with a status, unless it has ended; its handler is cancelled."""
        self._send_status(Status(code.value[0], details, trailing))
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    # --- for handlers

    async def read(self) -> Any:
        """The next request of a stream of them; grpc.aio.EOF at its end."""
        while (data := self.take()) is None:
            if self.over:
                return grpc.aio.EOF
            await self.wait()
        return self._read(data)

    async def write(self, message: Any) -> None:
        """Send a reply of a stream of them; waits while the client does not read. Raises
        asyncio.InvalidStateError when the call has ended."""
        if self._finished:
            raise asyncio.InvalidStateError("the call has ended")
        encode = self._handler.response_serializer
        self._send(encode(message) if encode is not None else message)
        if self.link.full(self.number):
            await self.link.room(self.number)

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """End the call with an error. Raises grpc.aio.AbortError."""
        self.set_trailing_metadata(trailing_metadata)
        self._send_status(Status(code.value[0], details, self._trailing))
        raise grpc.aio.AbortError

    async def send_initial_metadata(self, _metadata: Any) -> None:
        """Let the client know that the call is taken."""
        self._send_head()
        self.link.flush()

    def set_code(self, code: grpc.StatusCode) -> None:
        """The status with which the call ends when its handler returns."""
        self._status = code

    def set_details(self, details: str) -> None:
        """The sentence beside it."""
        self._details = details

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Metadata beside the status. Raises ValueError for what may not be sent."""
        trailing = tuple((key, value) for key, value in metadata)
        metadata_fields(trailing)
        self._trailing = trailing

    def invocation_metadata(self) -> Metadata:
        """What the client sent beside the request."""
        return self.request.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        """The peer's certificate, if it showed one: {"x509_pem_cert": [PEM]}."""
        return peer_certificate(self.link)

    def peer(self) -> str:
        """Where the client is: "ipv4:1.2.3.4:5", "unix:"."""
        name = self.link.transport_info("peername")
        if not isinstance(name, tuple):
            return "unix:"
        host, port = name[0], name[1]
        return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"

    def cancelled(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._finished

    # --- inside

    def _start(self, run: Any) -> None:
        self.task = task = asyncio.get_running_loop().create_task(run)
        self._keeper.began(task, self.link)
        task.add_done_callback(self._has_run)

    def _has_run(self, task: Task[None]) -> None:
        """Also a handler that was cancelled from within owes its client a status."""
        self._keeper.ended(task, self.link)
        self.task = None  # how it ended refers to this call
        if not self._finished:
            self.end(grpc.StatusCode.CANCELLED, "the handler was cancelled")

    def _read(self, data: bytes) -> Any:
        decode = self._handler.request_deserializer
        if decode is None:
            return data
        try:
            return decode(data)
        except Exception as error:
            raise RequestError(f"the request cannot be read: {type(error).__name__}") from error

    async def _answer(self, data: bytes) -> None:
        """A call of one request and one reply."""
        handler = self._handler
        try:
            reply = await handler.unary_unary(self._read(data), self)
            if handler.response_serializer is not None:
                reply = handler.response_serializer(reply)
        except Exception as error:
            self._failed(error)
            return
        if not self._finished:
            if self._status is grpc.StatusCode.OK:
                self._send(reply)
            self._send_status(self._ending())

    async def _run(self, data: bytes | None) -> None:
        """A call with a stream on either side."""
        try:
            await self._stream(data)
        except Exception as error:
            self._failed(error)
            return
        self._send_status(self._ending())

    async def _stream(self, data: bytes | None) -> None:
        handler = self._handler
        request: Any = _Requests(self) if data is None else self._read(data)
        behaviour = handler.unary_stream if data is not None else handler.stream_stream
        if not handler.response_streaming:
            reply = await handler.stream_unary(request, self)
            if not self._finished and self._status is grpc.StatusCode.OK:
                await self.write(reply)
            return
        replies = behaviour(request, self)
        if not hasattr(replies, "__aiter__"):
            await replies
            return
        try:
            async for reply in replies:
                await self.write(reply)
        finally:
            if hasattr(replies, "aclose"):
                await replies.aclose()

    def _ending(self) -> Status:
        return Status(self._status.value[0], self._details, self._trailing)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError) or self._finished:
            return
        if isinstance(error, RequestError):
            self.end(grpc.StatusCode.INTERNAL, str(error))
            return
        log.error("a handler failed", method=self.request.path, exc_info=error)
        text = f"Unexpected {type(error).__name__}"
        self._send_status(Status(grpc.StatusCode.UNKNOWN.value[0], text, ()))

    def _too_late(self) -> None:
        self.end(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def _send_head(self) -> None:
        if not self._head_sent:
            self._head_sent = True
            self.link.connection.send_headers(self.number, HEAD)

    def _send(self, data: bytes) -> None:
        self._send_head()
        self.link.connection.send_data(self.number, framed(data))
        self.link.flush()

    def _send_status(self, status: Status) -> None:
        if self._finished:
            return
        block = DONE if status.code == 0 and not status.metadata else status_fields(status)
        if not self._head_sent:
            block = HEAD + block  # "Trailers-Only"
        self.link.connection.send_headers(self.number, block, ended=True)
        self.link.flush()
        self._close()

    def _leave(self) -> None:
        self._close()
        self.over = True
        if self.task is not None:
            self.task.cancel()
        self.wake()

    def _close(self) -> None:
        self._finished = True
        if self._deadline is not None:
            self._deadline.cancel()
        self.link.forget(self.number)


class _Requests:
    """The requests of a call, for a handler that iterates; ends with them."""

    __slots__ = ("_call",)

    def __init__(self, call: ServerCall) -> None:
        self._call = call

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:
        request = await self._call.read()
        if request is grpc.aio.EOF:
            raise StopAsyncIteration
        return request


def peer_certificate(link: Link) -> dict[str, list[bytes]]:
    """What `auth_context` gives, read from TLS once a connection."""
    found: dict[str, list[bytes]] | None = link.peer
    if found is None:
        found = {}
        tls = link.transport_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        if der:
            found["x509_pem_cert"] = [ssl.DER_cert_to_PEM_cert(der).encode()]
        link.peer = found
    return found
