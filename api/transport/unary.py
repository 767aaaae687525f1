"""Calls of one request and one reply, as generated stubs make them: framed, sent, read.

Most calls are of this kind: one function from the stub's call to the reply.
"""

from __future__ import annotations

from typing import Any, Protocol

import grpc

from holdfast.api.transport.clientcall import Ask, ClientCall, Method, Opener, failed
from holdfast.api.transport.messages import framed
from holdfast.api.transport.metadata import Metadata


class Asker(Opener, Protocol):
    """The channel, as far as a method needs it."""

    def ask(self, method: Method, extra: Metadata | None, timeout_s: float | None) -> Ask:
        """A call that is about to begin. Raises ValueError for metadata that may not be sent."""


class UnaryUnary:
    """A method on one channel."""

    def __init__(self, channel: Asker, method: Method) -> None:
        self._channel = channel
        self._method = method

    async def __call__(
        self,
        request: Any,
        timeout: float | None = None,  # the stubs' calling convention
        metadata: Any = None,
    ) -> Any:
        """Call and wait for the reply. Raises grpc.aio.AioRpcError, and what serializing raises.

        A call that the server says it has not looked at (RFC 9113 §8.7) is sent once more.
        """
        method = self._method
        data = framed(method.encode(request) if method.encode is not None else request)
        ask = self._channel.ask(method, metadata, timeout)
        call = await self._once(ask, data)
        if call.unseen:
            call = await self._once(ask, data)
        reply = call.only()
        if method.decode is None:
            return reply
        try:
            return method.decode(reply)
        except Exception as error:
            text = f"the reply cannot be read: {type(error).__name__}"
            raise failed(grpc.StatusCode.INTERNAL, text) from error

    async def _once(self, ask: Ask, data: bytes) -> ClientCall:
        link = self._channel.free() or await self._channel.ready(ask.deadline)
        call = ClientCall(link, ask, self._channel)
        link.connection.send_data(call.number, data, ended=True)
        link.flush()
        try:
            await call.completed()
        finally:
            call.cancel()
        return call
