"""One node's session: what was agreed with its agent, and how it is ended from our side.

The handler of the stream reads (`follow`); whoever has a ticket for the node writes (`send`), so a
session costs one task and no queue. A write waits for the agent's flow control and takes its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2 as wire

HELLO_TIMEOUT_S = 10.0


class Stream(Protocol):
    """One side of a two-way stream; a grpc.aio context has this form. `read` returns
    grpc.aio.EOF, which is no message, at the end."""

    async def read(self) -> Any: ...

    async def write(self, message: Any, /) -> None: ...


class Session:
    """A stream whose Hello was accepted. interval_s: the one last told to the agent."""

    __slots__ = ("_ended", "_stream", "_task", "_turn", "boot_id", "interval_s", "node")

    def __init__(self, node: str, boot_id: str, stream: Stream) -> None:
        """Called in the task that will `follow` it; interval_s is set before that."""
        self.node = node
        self.boot_id = boot_id
        self.interval_s = 0.0
        self._stream = stream
        self._turn = asyncio.Lock()
        self._task = asyncio.current_task()
        self._ended: ApiError | None = None

    @property
    def ended_here(self) -> bool:
        """Whether this side ended it; else its end came from the node's machine."""
        return self._ended is not None

    async def welcome(self, interval_s: float) -> None:
        """Dictate the interval of beats."""
        self.interval_s = interval_s
        interval_ms = round(interval_s * 1000)
        await self.send(wire.ControlMessage(welcome=wire.Welcome(beat_interval_ms=interval_ms)))

    async def send(self, message: wire.ControlMessage) -> None:
        """Write one message, after those that wait already."""
        async with self._turn:
            await self._stream.write(message)

    async def follow(self, beat: Callable[[], float]) -> None:
        """Read until the agent ends the stream.

        beat: called for each message, returns the interval that holds now. Raises the ApiError
        given to `end`.
        """
        try:
            await self.welcome(self.interval_s)
            while isinstance(await self._stream.read(), wire.NodeMessage):
                if (interval_s := beat()) != self.interval_s:
                    await self.welcome(interval_s)
        except asyncio.CancelledError:
            if self._ended is None:
                raise
            assert self._task is not None
            self._task.uncancel()
            raise self._ended from None

    def end(self, why: ApiError) -> None:
        """End the stream from our side; `follow` raises this."""
        if self._ended is None and self._task is not None:
            self._ended = why
            self._task.cancel()


async def hello(stream: Stream) -> wire.Hello:
    """The first message of a session. Raises ApiError: BadRequest when it is another one,
    Timeout when none comes."""
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            message = await stream.read()
    except TimeoutError:
        raise ApiError(Reason.TIMEOUT, f"no Hello within {HELLO_TIMEOUT_S:g} s") from None
    if not isinstance(message, wire.NodeMessage) or not message.HasField("hello"):
        raise ApiError(Reason.BAD_REQUEST, "the first message of a session must be a Hello")
    return message.hello
