"""One node's session: what was agreed with its agent, and how it is ended from our side.

The handler of the stream reads (`follow`); whoever has a ticket for the node writes (`send`), so a
session costs one task and no queue. A write waits for the agent's flow control and takes its turn.
A node's batch of writes is committed in a task of its own, one at a time: reading, which is how
the node's beats are heard, never waits for a disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2 as wire

HELLO_TIMEOUT_S = 10.0
ECHO_EVERY = 4
"""Beats between two that are answered: a node that hears nothing looks for another leader."""

Commit = Callable[[wire.Writes], Awaitable[wire.ControlMessage]]
"""Writes what a node sent; the answer for it. Raises ApiError when its session must end."""


_log = structlog.get_logger()


class Stream(Protocol):
    """One side of a two-way stream; a grpc.aio context has this form. `read` returns
    grpc.aio.EOF, which is no message, at the end."""

    async def read(self) -> Any: ...

    async def write(self, message: Any, /) -> None: ...


class Session:
    """A stream whose Hello was accepted. interval_s: the one last told to the agent; endpoints:
    what it is to be told of the control nodes."""

    __slots__ = (
        "_ended",
        "_gate",
        "_stream",
        "_task",
        "_told",
        "_turn",
        "_writing",
        "boot_id",
        "endpoints",
        "interval_s",
        "node",
    )

    def __init__(self, node: str, boot_id: str, stream: Stream, gate: asyncio.Semaphore) -> None:
        """Called in the task that will `follow` it; interval_s is set before that. gate: passed
        by every session's writes, so that a thousand nodes do not fill one turn of the loop."""
        self.node = node
        self._gate = gate
        self.boot_id = boot_id
        self.interval_s = 0.0
        self.endpoints: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._stream = stream
        self._turn = asyncio.Lock()
        self._task = asyncio.current_task()
        self._ended: ApiError | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def ended_here(self) -> bool:
        """Whether this side ended it; else its end came from the node's machine."""
        return self._ended is not None

    async def welcome(self, interval_s: float) -> None:
        """Dictate the interval of beats, and say where the control nodes are."""
        self.interval_s = interval_s
        self._told = self.endpoints
        interval_ms = round(interval_s * 1000)
        welcome = wire.Welcome(beat_interval_ms=interval_ms, endpoints=self.endpoints)
        await self.send(wire.ControlMessage(welcome=welcome))

    async def send(self, message: wire.ControlMessage) -> None:
        """Write one message, after those that wait already."""
        async with self._turn:
            await self._stream.write(message)

    async def follow(self, beat: Callable[[], float], commit: Commit) -> None:
        """Read until the agent ends the stream.

        beat: called for each message, returns the interval that holds now. commit: called with
        the node's writes. Raises the ApiError given to `end`.
        """
        try:
            await self.welcome(self.interval_s)
            while isinstance(message := await self._stream.read(), wire.NodeMessage):
                if (interval_s := beat()) != self.interval_s or self._told != self.endpoints:
                    await self.welcome(interval_s)
                elif message.beat.sequence and message.beat.sequence % ECHO_EVERY == 0:
                    await self.send(
                        wire.ControlMessage(echo=wire.Echo(sequence=message.beat.sequence))
                    )
                if message.HasField("writes"):
                    self._write(message.writes, commit)
        except asyncio.CancelledError:
            if self._ended is None:
                raise
            assert self._task is not None
            self._task.uncancel()
            raise self._ended from None
        finally:
            if self._writing is not None:
                self._writing.cancel()

    def _write(self, writes: wire.Writes, commit: Commit) -> None:
        if self._writing is not None:
            what = "a node's next writes come after the answer to those before"
            self.end(ApiError(Reason.BAD_REQUEST, what))
            return
        self._writing = asyncio.create_task(self._answer(writes, commit))
        self._writing.add_done_callback(_look_at)

    async def _answer(self, writes: wire.Writes, commit: Commit) -> None:
        try:
            async with self._gate:
                answer = await commit(writes)
        except ApiError as error:
            self.end(error)
            return
        self._writing = None  # before the agent can know, which then may send the next
        await self.send(answer)

    def end(self, why: ApiError) -> None:
        """End the stream from our side; `follow` raises this."""
        if self._ended is None and self._task is not None:
            self._ended = why
            self._task.cancel()


def _look_at(writing: asyncio.Task[None]) -> None:
    """A stream that broke takes no answer: `follow` ends by itself, and the agent asks again."""
    if not writing.cancelled() and (error := writing.exception()) is not None:
        _log.info("answer_not_sent", error=repr(error))


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
