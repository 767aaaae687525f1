"""Streams that nodes dial back: a client's logs or exec joined to the one node that runs the pod.

`Streams.open` sends a ticket down the node's session and waits for the node to dial; `serve_dial`
answers the dialled call and holds it while the client's call reads and writes it. Nothing is
queued here: a frame is read from one side when the frame before it was taken by the other, so
each side's flow control reaches the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from holdfast.api import wire as errors
from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.control.sessions.session import HELLO_TIMEOUT_S, Stream
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.tickets import LIFETIME_S, TICKET_BYTES, Tickets

FRAME_BYTES_MAX = 64 << 10
BREAK_KNOWN_S = 0.05
"""A stream that breaks is first seen as one that ended; gRPC cancels the call within 2 ms."""


class Dialled:
    """One dialled stream, lent to the client's call until it says `finish`."""

    def __init__(self, node: str, stream: Stream) -> None:
        self.node = node
        self._stream = stream
        self._finished = asyncio.Event()  # set by the client's call, `hold` waits
        self._broken = asyncio.Event()  # set by `hold`, `read` waits

    async def hold(self) -> None:
        """Keep the dialled call until the client's call is over."""
        try:
            await self._finished.wait()
        except asyncio.CancelledError:
            self._broken.set()
            raise

    async def read(self) -> wire.Frame | None:
        """The node's next frame; None when it has ended the stream in order.

        Raises the node's own ApiError, or Unavailable when the stream broke off.
        """
        frame = await self._stream.read()
        if not isinstance(frame, wire.Frame):
            await self._end()
            return None
        if frame.error:
            raise errors.parse_refusal(frame.error)
        frame.ClearField("ticket")
        return frame

    async def _end(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BREAK_KNOWN_S):
                await self._broken.wait()
        if self._broken.is_set():
            raise ApiError(Reason.UNAVAILABLE, f'the stream from node "{self.node}" broke off')

    async def write(self, frame: wire.Frame) -> None:
        """Send the node a frame; waits until the node's flow control takes it."""
        if not self._broken.is_set():
            await self._stream.write(frame)

    def finish(self) -> None:
        """The client's call is over: let the dialled call end."""
        self._finished.set()


class Streams:
    """Tickets out and streams dialled."""

    def __init__(self, sessions: Sessions, random_bytes: Callable[[int], bytes]) -> None:
        """random_bytes: unpredictable ones (`secrets.token_bytes`), they are the tickets."""
        self._sessions = sessions
        self._random_bytes = random_bytes
        self._tickets: Tickets[asyncio.Future[Dialled]] = Tickets()

    async def open(self, node: str, ticket: wire.Ticket) -> Dialled:
        """Have the node dial a stream for this request; its id is set here.

        The caller must `finish` it. Raises ApiError: Unavailable (the node has no session),
        Timeout (it did not dial), TooManyRequests.
        """
        session = self._sessions.get(node)
        if session is None:
            raise ApiError(Reason.UNAVAILABLE, f'node "{node}" is not connected')
        loop = asyncio.get_running_loop()
        ticket.id = self._random_bytes(TICKET_BYTES)
        waiter: asyncio.Future[Dialled] = loop.create_future()
        self._tickets.issue(ticket.id, node, waiter, loop.time())
        try:
            async with asyncio.timeout(LIFETIME_S):
                await session.send(wire.ControlMessage(ticket=ticket))
                return await waiter
        except BaseException as error:
            _release(waiter)
            if isinstance(error, TimeoutError):
                message = f'node "{node}" did not open the stream within {LIFETIME_S:g} s'
                raise ApiError(Reason.TIMEOUT, message) from None
            raise
        finally:
            self._tickets.withdraw(ticket.id)

    async def serve_dial(self, identity: Identity, stream: Stream) -> None:
        """Answer one call of Dial, until the client's call is over.

        Raises ApiError: Forbidden (no node, or no ticket good for it), Timeout (no first frame).
        """
        first = await _first(stream)
        now = asyncio.get_running_loop().time()
        waiter = self._tickets.redeem(first.ticket, identity.node, now)
        if waiter.done():
            return
        dialled = Dialled(identity.node, stream)
        waiter.set_result(dialled)
        await dialled.hold()


def _release(waiter: asyncio.Future[Dialled]) -> None:
    """The opener goes: nobody will use the stream, if it came in this very moment."""
    if not waiter.cancel() and not waiter.cancelled():
        waiter.result().finish()


async def _first(stream: Stream) -> wire.Frame:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            frame: Any = await stream.read()
    except TimeoutError:
        raise ApiError(Reason.TIMEOUT, "no first frame came") from None
    if not isinstance(frame, wire.Frame):
        raise ApiError(Reason.BAD_REQUEST, "the first frame must carry the ticket")
    return frame
