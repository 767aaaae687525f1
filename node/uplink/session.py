"""One node's session: the stream that says it is alive, carries its writes and brings tickets.

It is with the leader of the control nodes: another one names the leader, and the node turns to it
at once. One that is silent for long (it answers some of the beats) is left for another.

Any message is a beat; the control node dictates the interval in its Welcome, and what was written
within it needs no Beat beside. When the stream breaks it is opened again, quickly at first: until
then the cluster takes the node for silent. Writes whose answer did not come are of unknown outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import structlog

from holdfast.api.client import Client, Outcome, Write
from holdfast.api.client.backoff import Backoff
from holdfast.api.client.decoding import outcomes
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2, sessions_pb2_grpc
from holdfast.api.wire import parse_refusal

WELCOME_TIMEOUT_S = 10.0
WRITTEN_TIMEOUT_S = 30.0
AGAIN_FIRST_S = 0.1
AGAIN_MAX_S = 3.0
TURNS_MAX = 4
"""Times in a row that a control node may name another one before there is a pause."""
SILENT_S_MIN = 5.0
INTERVALS_SILENT = 12
"""A control node that said nothing for so many beats, and so long, is not there any more."""
SLACKS = 20
"""A beat may be late by this part of its interval, so that those of many nodes in one process are
sent, carried and heard together."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node says in its Hello."""

    node_name: str
    boot_id: str
    agent_version: str


class Session:
    """Keeps the stream open. `run` it as a task; cancelling it ends the session."""

    def __init__(
        self,
        client: Client,
        identity: Identity,
        opened: Callable[[], None],
        ticket: Callable[[sessions_pb2.Ticket], None],
    ) -> None:
        """opened: called at each Welcome. ticket: called with each ticket; must not block."""
        self.connected = False
        self._client = client
        self._identity = identity
        self._opened = opened
        self._ticket = ticket
        self._stream: Any = None  # while there is one
        self._turn = asyncio.Lock()  # a stream takes one message at a time
        self._sent_at = 0.0
        self._heard_at = 0.0
        self._number = 0
        # Of the writes under way: set by the reader, or when the stream ends; `batch` waits.
        self._written: asyncio.Future[sessions_pb2.Written] | None = None

    async def run(self) -> None:
        """For ever: open, beat, open again."""
        backoff = Backoff(AGAIN_FIRST_S, AGAIN_MAX_S)
        turns = 0
        while True:
            address = self._client.address
            welcomed = False
            refusal: ApiError | None = None
            try:
                welcomed = await self._hold()
            except grpc.aio.AioRpcError as error:
                refusal = self._client.refusal(error, address)
                log.info("session ended", node=self._identity.node_name, why=refusal.message)
            except TimeoutError:
                log.info("no welcome in time", node=self._identity.node_name)
            welcomed |= self.connected
            self.connected = False
            self._settle(None)
            if welcomed:
                backoff.reset()
                turns = 0
            turned = refusal is not None and refusal.reason is Reason.NOT_LEADER
            if turned and self._client.address != address and turns < TURNS_MAX:
                turns += 1
                continue
            turns = 0
            await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311

    async def batch(self, writes: Sequence[Write]) -> list[Outcome]:
        """Resources.Batch over this stream; one batch at a time.

        Raises ApiError: Unavailable (no session, or it ended before the answer came), Timeout, and
        what the control node refuses the whole with.
        """
        if not self.connected:
            raise ApiError(Reason.UNAVAILABLE, "no session with a control node yet")
        assert self._written is None, "one batch at a time"
        self._number += 1
        message = sessions_pb2.NodeMessage()
        message.writes.number = self._number
        self._client.fill(message.writes.batch, writes)
        self._written = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(WRITTEN_TIMEOUT_S):
                await self._send(message)
                written = await self._written
        except TimeoutError:
            raise ApiError(Reason.TIMEOUT, "the control node did not answer in time") from None
        finally:
            self._written = None
        if written.refusal:
            raise parse_refusal(written.refusal)
        return outcomes(written.reply)

    def _settle(self, written: sessions_pb2.Written | None) -> None:
        """The writes under way are answered. None: they never will be."""
        if self._written is None or self._written.done():
            return
        if written is None:
            self._written.set_exception(ApiError(Reason.UNAVAILABLE, "the session ended"))
        elif written.number == self._number:
            self._written.set_result(written)

    async def _send(self, message: sessions_pb2.NodeMessage) -> None:
        async with self._turn:
            stream = self._stream
            if stream is None:
                raise ApiError(Reason.UNAVAILABLE, "the session ended")
            self._sent_at = asyncio.get_running_loop().time()
            try:
                await stream.write(message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                # The reader, which opens the next one, says why.
                raise ApiError(Reason.UNAVAILABLE, "the session ended") from None

    async def _hold(self) -> bool:
        """One stream, from Hello until it ends; returns whether it was welcomed."""
        loop, address = asyncio.get_running_loop(), self._client.address
        stub: Any = sessions_pb2_grpc.SessionsStub(self._client.channel)
        stream = self._stream = stub.Open(metadata=self._client.metadata())
        beating: asyncio.Task[None] | None = None
        try:
            identity = self._identity
            hello = sessions_pb2.Hello(
                node_name=identity.node_name,
                boot_id=identity.boot_id,
                agent_version=identity.agent_version,
            )
            self._sent_at = asyncio.get_running_loop().time()
            await stream.write(sessions_pb2.NodeMessage(hello=hello))
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                message = await stream.read()
            while message is not grpc.aio.EOF:
                self._heard_at = loop.time()
                if message.HasField("written"):
                    self._settle(message.written)
                elif message.HasField("welcome"):
                    interval_s = max(0.05, message.welcome.beat_interval_ms / 1000)
                    if beating is not None:
                        beating.cancel()
                    beating = asyncio.create_task(self._beat(interval_s, stream))
                    self._client.answered(address)
                    self._client.learn(message.welcome.endpoints)
                    if not self.connected:
                        self.connected = True
                        self._opened()
                elif message.HasField("ticket"):
                    self._ticket(message.ticket)
                message = await stream.read()
            return self.connected
        finally:
            self._stream = None
            if beating is not None:
                beating.cancel()
            stream.cancel()

    async def _beat(self, interval_s: float, stream: Any) -> None:
        loop = asyncio.get_running_loop()
        silent_s = max(SILENT_S_MIN, interval_s * INTERVALS_SILENT)
        slack_s = interval_s / SLACKS
        sequence = 0
        with contextlib.suppress(ApiError):
            while True:
                due_at = math.ceil((self._sent_at + interval_s) / slack_s) * slack_s
                wait_s = due_at - loop.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                    continue
                if loop.time() - self._heard_at > silent_s:
                    stream.cancel()  # the reader goes on with another control node
                    return
                sequence += 1
                beat = sessions_pb2.Beat(sequence=sequence)
                await self._send(sessions_pb2.NodeMessage(beat=beat))
