"""One long-lived stream to one peer: messages in order, or not at all.

What waits while the stream is opened, or while the peer does not read, is bounded; what comes
beyond is dropped and the owner told, for the core repeats what matters. A stream that breaks is
opened again after a short pause; what waited for it is dropped then, because it is old.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import grpc

from holdfast.api.transport.clientcall import BidirectionalCall
from holdfast.control.raft.messages import Message
from holdfast.control.raft.wire import codec

AGAIN_S = 0.05
"""Between two attempts to open a stream."""
MESSAGES_MAX = 64
BYTES_MAX = 1 << 20
"""One write takes at most so much (at least one message)."""

End = tuple[grpc.StatusCode, str]
"""How a stream ended, and why."""


class Lane:
    """A stream in one direction. `run` is its task."""

    def __init__(
        self, open_call: Callable[[], BidirectionalCall], waiting_max: int,
        broken: Callable[[grpc.StatusCode, str], None],
    ) -> None:  # fmt: skip
        """broken: told how and why, each time when the stream breaks or cannot be opened."""
        self._open = open_call
        self._waiting_max = waiting_max
        self._broken = broken
        self._waiting: deque[Message] = deque()
        self._wake = asyncio.Event()  # set by put and when the stream ends; `run` waits

    def put(self, message: Message) -> bool:
        """Send a message. False: too much waits, it was dropped."""
        if len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append(message)
        self._wake.set()
        return True

    async def run(self) -> None:
        """Carry messages until cancelled."""
        while True:
            await self._wake.wait()
            call = self._open()
            reader = asyncio.create_task(self._until_ended(call))
            try:
                end = await self._carry(call, reader)
            finally:
                reader.cancel()
                call.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            self._waiting.clear()
            self._wake.clear()
            self._broken(*end)
            await asyncio.sleep(AGAIN_S)

    async def _until_ended(self, call: BidirectionalCall) -> End:
        """The peer never answers: whatever comes is the end."""
        try:
            await call.read()
        except grpc.aio.AioRpcError as error:
            return _end(error)
        finally:
            self._wake.set()
        return grpc.StatusCode.OK, "the peer closed the stream"

    async def _carry(self, call: BidirectionalCall, reader: asyncio.Task[End]) -> End:
        try:
            while not reader.done():
                while self._waiting and not reader.done():
                    await call.write(codec.encode(self._take()))
                self._wake.clear()
                if not reader.done():
                    await self._wake.wait()
        except grpc.aio.AioRpcError as error:
            return _end(error)
        except asyncio.InvalidStateError:
            return grpc.StatusCode.OK, "the stream has ended"
        return reader.result()

    def _take(self) -> list[Message]:
        taken: list[Message] = []
        size = 0
        while self._waiting and len(taken) < MESSAGES_MAX:
            size += sum(len(entry.data) for entry in self._waiting[0].entries)
            if taken and size > BYTES_MAX:
                break
            taken.append(self._waiting.popleft())
        return taken


def _end(error: grpc.aio.AioRpcError) -> End:
    return error.code(), error.details() or str(error.code())
