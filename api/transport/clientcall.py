"""Calls under way at the calling end.

`ClientCall` is one stream from its opening to its status. The kinds of streamed calls have the
methods of grpc.aio's; they open when first used. Cancelling a `read` does not cancel the call; a
call that nobody holds any more is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, NamedTuple, NoReturn, Protocol

import grpc

from holdfast.api.transport import failures, metadata
from holdfast.api.transport.http2.events import DataReceived, HeadersReceived
from holdfast.api.transport.http2.frames import Code
from holdfast.api.transport.link import Link
from holdfast.api.transport.messages import framed
from holdfast.api.transport.metadata import Status
from holdfast.api.transport.stream import Stream

MESSAGE_BYTES_MAX = 64 << 20
CODES = {code.value[0]: code for code in grpc.StatusCode}
_CANCELLED = "Locally cancelled by application!"
_RESET = {
    Code.CANCEL: grpc.StatusCode.CANCELLED,
    Code.REFUSED_STREAM: grpc.StatusCode.UNAVAILABLE,
    Code.ENHANCE_YOUR_CALM: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.INADEQUATE_SECURITY: grpc.StatusCode.PERMISSION_DENIED,
}


class Opener(Protocol):
    """The channel, as far as a call needs it."""

    def free(self) -> Link | None:
        """A link with room for a stream, at once."""

    async def ready(self, deadline: float | None) -> Link:
        """The same, waiting for it until then. Raises AioRpcError."""

    def forget(self) -> None:
        """A stream has ended."""


class Method(NamedTuple):
    """What a stub knows of a method. None: messages are bytes."""

    path: str
    encode: Callable[[Any], bytes] | None
    decode: Callable[[bytes], Any] | None


class Ask(NamedTuple):
    """One call of a method. block: its header fields. deadline: in the loop's time."""

    method: Method
    block: bytes
    deadline: float | None


def failed(
    code: grpc.StatusCode, details: str, trailing: metadata.Metadata = ()
) -> grpc.aio.AioRpcError:
    """The error that callers of stubs know."""
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details=details
    )


class ClientCall(Stream):
    """One stream of ours. `finished`: the status is known. unseen: the server has not looked at
    it, so that it may be sent again."""

    __slots__ = ("_channel", "_timer", "status", "unseen")

    def __init__(self, link: Link, ask: Ask, channel: Opener) -> None:
        super().__init__(link, link.connection.open(ask.block), MESSAGE_BYTES_MAX)
        self.status: Status | None = None
        self.unseen = False
        self._channel = channel
        self._timer: asyncio.TimerHandle | None = None
        link.streams[self.number] = self
        if ask.deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(ask.deadline, self._too_late)

    @property
    def finished(self) -> bool:
        """Whether the status is known."""
        return self.status is not None

    async def completed(self) -> None:
        """Until the status is known: it may come long after the reply."""
        while not self.finished:
            assert self.asked is None, "one reader a call"
            self.asked = asyncio.get_running_loop().create_future()
            try:
                await self.asked
            finally:
                self.asked = None

    def deliver(self, event: DataReceived) -> None:
        """Bytes came. Raises MessageError for what is no message we take."""
        super().deliver(event)
        if event.ended:
            self._finish(Status(grpc.StatusCode.UNKNOWN.value[0], "the answer has no status", ()))

    def headers(self, event: HeadersReceived) -> None:
        """The answer's first fields, or its trailers."""
        if event.ended:
            self._finish(metadata.status(event.block))
            return
        wrong = metadata.answer(event.block)
        if wrong is not None:
            self._end(wrong)

    def was_reset(self, code: int) -> None:
        """The server ended the stream without a status."""
        self.unseen = code == Code.REFUSED_STREAM
        status = grpc.StatusCode.INTERNAL
        if code in _RESET:
            status = _RESET[Code(code)]
        text = f"the stream was reset: {failures.code_name(code)}"
        self._finish(Status(status.value[0], text, ()))

    def broken(self, code: grpc.StatusCode, text: str) -> None:
        """It ends from our side, unless it has ended."""
        self._end(Status(code.value[0], text, ()))

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._finish(Status(grpc.StatusCode.UNAVAILABLE.value[0], why, ()))

    def cancel(self) -> None:
        """Nobody wants the rest."""
        if self.status is None:
            self.broken(grpc.StatusCode.CANCELLED, _CANCELLED)

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

    def _too_late(self) -> None:
        self.broken(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def _end(self, status: Status) -> None:
        if self.status is None:
            self.link.connection.send_reset(self.number, Code.CANCEL)
            self.link.flush()
            self._finish(status)

    def _finish(self, status: Status) -> None:
        if self.status is not None:
            return
        self.status = status
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        link = self.link
        # With the status the call is over, also where we could still send.
        link.connection.send_reset(self.number, Code.NO_ERROR)
        if link.connection.out:
            link.flush()
        link.forget(self.number)
        self._channel.forget()
        self.wake()


class ReplyStream:
    """A call with a stream of replies: `async for`, or `read` until grpc.aio.EOF."""

    def __init__(self, channel: Opener, ask: Ask, request: bytes | None = None) -> None:
        """request: the one request; None = they come by `write`."""
        self._channel = channel
        self._ask = ask
        self._request = request
        self._call: ClientCall | None = None
        self._opening = asyncio.Lock()  # two that use it first at once open one stream
        self._cancelled = False
        self._loop = asyncio.get_running_loop()

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None and not call.finished and not self._loop.is_closed():
            call.cancel()

    async def read(self) -> Any:
        """The next reply, or grpc.aio.EOF. Raises AioRpcError."""
        call = self._call or await self._opened()
        while (data := call.take()) is None:
            if call.finished:
                call.check()
                return grpc.aio.EOF
            await call.wait()
        decode = self._ask.method.decode
        if decode is None:
            return data
        try:
            return decode(data)
        except Exception as error:
            self._unreadable(call, error)

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

    def _unreadable(self, call: ClientCall, error: Exception) -> NoReturn:
        call.cancel()
        text = f"the reply cannot be read: {type(error).__name__}"
        raise failed(grpc.StatusCode.INTERNAL, text) from error

    async def _opened(self) -> ClientCall:
        async with self._opening:
            if self._call is not None:
                return self._call
            link = None if self._cancelled else await self._channel.ready(self._ask.deadline)
            if self._cancelled or link is None:
                self._channel.forget()  # the turn that we had is another's
                raise failed(grpc.StatusCode.CANCELLED, _CANCELLED)
            self._call = call = ClientCall(link, self._ask, self._channel)
            if self._request is not None:
                link.connection.send_data(call.number, framed(self._request), ended=True)
                self._request = None
            link.flush()
            return call


class BidirectionalCall(ReplyStream):
    """A call with a stream both ways."""

    def __init__(
        self, channel: Opener, ask: Ask, requests: AsyncIterator[Any] | None = None
    ) -> None:
        """requests: sent one after the other as soon as replies are read; None = `write` them."""
        super().__init__(channel, ask)
        self._requests = requests
        self._pump: asyncio.Task[None] | None = None

    async def write(self, request: Any) -> None:
        """Send a request; waits while the server does not read. Raises AioRpcError when the call
        has ended with an error, asyncio.InvalidStateError when it has ended well."""
        call = self._call or await self._opened()
        self._check(call)
        encode = self._ask.method.encode
        data = encode(request) if encode is not None else request
        link = call.link
        link.connection.send_data(call.number, framed(data))
        link.flush()
        if link.full(call.number):
            await link.room(call.number)
            self._check(call)

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

    def _check(self, call: ClientCall) -> None:
        call.check()
        if call.finished:
            raise asyncio.InvalidStateError("the call has ended")

    async def _send_all(self, requests: AsyncIterator[Any]) -> None:
        try:
            async for request in requests:
                await self.write(request)
            await self.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the reader hears why
        except Exception as error:
            # Nothing more will come of this call: its reader must not wait for an answer.
            if self._call is not None:
                text = f"the requests broke off: {type(error).__name__}: {error}"
                self._call.broken(grpc.StatusCode.CANCELLED, text)


class OneReplyCall(BidirectionalCall):
    """A call with a stream of requests and one reply: `await` it."""

    def __await__(self) -> Generator[Any, None, Any]:
        """The reply. Raises AioRpcError."""
        return self._reply().__await__()

    async def _reply(self) -> Any:
        reply = await self.read()
        if reply is grpc.aio.EOF:
            raise failed(grpc.StatusCode.INTERNAL, "the reply is missing")
        if await super().read() is not grpc.aio.EOF:
            self.cancel()
            raise failed(grpc.StatusCode.INTERNAL, "more than one reply came")
        return reply
