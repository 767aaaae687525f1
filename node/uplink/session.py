"""One node's session: the stream that says it is alive and brings tickets.

Any message is a beat; the control node dictates the interval in its Welcome. When the stream
breaks it is opened again, quickly at first: until then the cluster takes the node for silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import structlog

from holdfast.api.client import Client
from holdfast.api.client.backoff import Backoff
from holdfast.api.rpc.v1 import sessions_pb2, sessions_pb2_grpc

WELCOME_TIMEOUT_S = 10.0
AGAIN_FIRST_S = 0.1
AGAIN_MAX_S = 3.0

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

    async def run(self) -> None:
        """For ever: open, beat, open again."""
        backoff = Backoff(AGAIN_FIRST_S, AGAIN_MAX_S)
        while True:
            welcomed = False
            try:
                welcomed = await self._hold()
            except grpc.aio.AioRpcError as error:
                log.info("session ended", node=self._identity.node_name, why=error.details())
            except TimeoutError:
                log.info("no welcome in time", node=self._identity.node_name)
            welcomed |= self.connected
            self.connected = False
            if welcomed:
                backoff.reset()
            await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311

    async def _hold(self) -> bool:
        """One stream, from Hello until it ends; returns whether it was welcomed."""
        stub: Any = sessions_pb2_grpc.SessionsStub(self._client.channel)
        stream = stub.Open(metadata=self._client.metadata())
        beating: asyncio.Task[None] | None = None
        try:
            identity = self._identity
            hello = sessions_pb2.Hello(
                node_name=identity.node_name,
                boot_id=identity.boot_id,
                agent_version=identity.agent_version,
            )
            await stream.write(sessions_pb2.NodeMessage(hello=hello))
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                message = await stream.read()
            while message is not grpc.aio.EOF:
                if message.HasField("welcome"):
                    interval_s = max(0.05, message.welcome.beat_interval_ms / 1000)
                    if beating is not None:
                        beating.cancel()
                    beating = asyncio.create_task(_beat(stream, interval_s))
                    self.connected = True
                    self._opened()
                elif message.HasField("ticket"):
                    self._ticket(message.ticket)
                message = await stream.read()
            return self.connected
        finally:
            if beating is not None:
                beating.cancel()
            stream.cancel()


async def _beat(stream: Any, interval_s: float) -> None:
    sequence = 0
    # A stream that broke ends the reader, which opens the next one.
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await asyncio.sleep(interval_s)
            sequence += 1
            beat = sessions_pb2.Beat(sequence=sequence)
            await stream.write(sessions_pb2.NodeMessage(beat=beat))
