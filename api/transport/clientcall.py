"""Calls under way at the calling end.

`ClientCall` is one stream from its opening to its status. The two kinds of streamed calls have the
methods of grpc.aio's; they open when first used. Cancelling a `read` does not cancel the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import grpc

from holdfast.api.transport import metadata
from holdfast.api.transport.connection import DataReceived, HeadersReceived
from holdfast.api.transport.frames import Code
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import framed
from holdfast.api.transport.metadata import Status
from holdfast.api.transport.stream import Stream

MESSAGE_BYTES_MAX = 64 << 20
CODES = {code.value[0]: code for code in grpc.StatusCode}
_RESET = {
    Code.CANCEL: grpc.StatusCode.CANCELLED,
    Code.REFUSED_STREAM: grpc.StatusCode.UNAVAILABLE,
    Code.ENHANCE_YOUR_CALM: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.INADEQUATE_SECURITY: grpc.StatusCode.PERMISSION_DENIED,
}


class Opener(Protocol):
    """The channel, as far as a call needs it."""

    async def ready(self) -> Link:
        """A link with room for a stream."""

    def forget(self) -> None:
        """A stream has ended."""


def failed(
    code: grpc.StatusCode, details: str, trailing: metadata.Metadata = ()
) -> grpc.aio.AioRpcError:
    """The error that callers of stubs know."""
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details=details
    )


class ClientCall(Stream):
    """One stream of ours. `finished`: the status is known."""

    __slots__ = ("_channel", "status")

    def __init__(self, link: Link, number: int, bytes_max: int, channel: Opener) -> None:
        super().__init__(link, number, bytes_max)
        self.status: Status | None = None
        self._channel = channel
        link.streams[number] = self

    @property
    def finished(self) -> bool:
        """Whether the status is known."""
        return self.status is not None

    def deliver(self, event: DataReceived) -> None:
        """Bytes came. Raises MessageError for what is no message we take."""
        super().deliver(event)
        if event.ended:
            self._finish(Status(grpc.StatusCode.UNKNOWN.value[0], "the answer has no status", ()))

    def headers(self, event: HeadersReceived) -> None:
        """The answer's first fields, or its trailers."""
        if event.ended:
            self._finish(metadata.status(event.block))

    def was_reset(self, code: int) -> None:
        """The server ended the stream without a status."""
        status = _RESET.get(Code(code) if code <= 13 else Code.INTERNAL_ERROR)
        status = status or grpc.StatusCode.INTERNAL
        name = Code(code).name if code <= 13 else str(code)
        self._finish(Status(status.value[0], f"the stream was reset: {name}", ()))

    def broken(self, code: grpc.StatusCode, text: str) -> None:
        """What came is no reply we take."""
        self.link.connection.send_reset(self.number, Code.CANCEL)
        self.link.flush()
        self._finish(Status(code.value[0], text, ()))

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._finish(Status(grpc.StatusCode.UNAVAILABLE.value[0], why, ()))

    def too_late(self) -> None:
        """The deadline has passed."""
        self.broken(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def cancel(self) -> None:
        """Nobody wants the rest."""
        if not self.finished:
            self.broken(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")

    def only(self) -> bytes:
        """The one reply of a finished call. Raises AioRpcError."""
        self.check()
        reply = self.take()
        if reply is None:
            raise failed(grpc.StatusCode.INTERNAL, "the reply is missing")
        return reply

    def check(self) -> None:
        """Raises AioRpcError when the call has ended with an error."""
        status = self.status
        if status is not None and status.code:
            code = CODES.get(status.code, grpc.StatusCode.UNKNOWN)
            raise failed(code, status.details, status.metadata)

    def _finish(self, status: Status) -> None:
        if self.status is not None:
            return
        self.status = status
        self.over = True
        self.link.forget(self.number)
        self._channel.forget()
        self.wake()


class ReplyStream:
    """A call with a stream of replies: `async for`, or `read` until grpc.aio.EOF."""

    def __init__(
        self,
        channel: Opener,
        block: bytes,
        decode: Callable[[bytes], Any] | None,
        request: bytes | None = None,
    ) -> None:
        """request: the one request; None = they come by `write`."""
        self._channel = channel
        self._block = block
        self._decode = decode
        self._request = request
        self._call: ClientCall | None = None
        self._opening: asyncio.Lock = asyncio.Lock()
        self._cancelled = False

    async def read(self) -> Any:
        """The next reply, or grpc.aio.EOF. Raises AioRpcError."""
        call = self._call or await self._opened()
        while (data := call.take()) is None:
            if call.finished:
                call.check()
                return grpc.aio.EOF
            await call.wait()
        return self._decode(data) if self._decode is not None else data

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (reply := await self.read()) is not grpc.aio.EOF:
            yield reply

    def cancel(self) -> bool:
        """End the call; True unless it had ended."""
        self._cancelled = True
        call = self._call
        if call is None or call.finished:
            return False
        call.cancel()
        return True

    def done(self) -> bool:
        """Whether it has ended."""
        return self._call is not None and self._call.finished

    async def _opened(self) -> ClientCall:
        async with self._opening:
            if self._call is not None:
                return self._call
            link = await self._channel.ready()
            if self._cancelled:
                raise failed(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
            number = link.connection.open(self._block)
            self._call = call = ClientCall(link, number, MESSAGE_BYTES_MAX, self._channel)
            if self._request is not None:
                link.connection.send_data(number, framed(self._request), ended=True)
            link.flush()
            return call


class BidirectionalCall(ReplyStream):
    """A call with a stream both ways."""

    def __init__(
        self,
        channel: Opener,
        block: bytes,
        decode: Callable[[bytes], Any] | None,
        encode: Callable[[Any], bytes] | None,
        requests: AsyncIterator[Any] | None,
    ) -> None:
        """requests: sent one after the other as soon as replies are read; None = `write` them."""
        super().__init__(channel, block, decode)
        self._encode = encode
        self._requests = requests
        self._pump: asyncio.Task[None] | None = None

    async def write(self, request: Any) -> None:
        """Send a request; waits while the server does not read. Raises AioRpcError when the call
        has ended."""
        call = self._call or await self._opened()
        call.check()
        if call.finished:
            raise asyncio.InvalidStateError("the call has ended")
        data = self._encode(request) if self._encode is not None else request
        link = call.link
        link.connection.send_data(call.number, framed(data))
        link.flush()
        if link.full(call.number):
            await link.room(call.number)

    async def done_writing(self) -> None:
        """No more requests."""
        call = self._call or await self._opened()
        if not call.finished:
            call.link.connection.send_data(call.number, b"", ended=True)
            call.link.flush()

    async def read(self) -> Any:
        """The next reply, or grpc.aio.EOF. Raises AioRpcError."""
        if self._requests is not None and self._pump is None:
            self._pump = asyncio.create_task(self._send_all(self._requests))
        return await super().read()

    def cancel(self) -> bool:
        """End the call; True unless it had ended."""
        if self._pump is not None:
            self._pump.cancel()
        return super().cancel()

    async def _send_all(self, requests: AsyncIterator[Any]) -> None:
        try:
            async for request in requests:
                await self.write(request)
            await self.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the reader hears why
