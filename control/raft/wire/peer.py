"""One other member: its streams, and what their end means.

Two connections, so that a heartbeat is never behind an append on the wire. When the streams break
and the address refuses connections, the process there is gone and the port hears of it at once:
a follower of that leader need not wait for its silence.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import structlog

from holdfast.api.transport.channel import Channel
from holdfast.api.transport.clientcall import BidirectionalCall
from holdfast.control.raft.messages import Message, MessageType
from holdfast.control.raft.shell.seams import Port, SnapshotLostError
from holdfast.control.raft.wire import codec
from holdfast.control.raft.wire.lanes import Lane

log = structlog.get_logger()

BEATS_MAX = 256
APPENDS_MAX = 128
PROBES = 4
PROBE_AGAIN_S = 0.03
PROBE_S = 0.5
"""How long an address may take to accept or refuse."""
REMOVED = grpc.StatusCode.NOT_FOUND
"""How a member refuses a caller that was removed from the group."""
SERVICE = "/holdfast.api.raft.v1.Raft/"

Metadata = tuple[tuple[str, str], ...]
Credentials = Callable[[], ssl.SSLContext | None]


class Peer:
    """A member's streams. address: host:port; metadata: who calls whom."""

    def __init__(
        self, member: int, address: str, port: Port, credentials: Credentials, metadata: Metadata
    ) -> None:
        self.address = address
        self._member = member
        self._port = port
        self._credentials = credentials
        self._metadata = metadata
        self._channels: dict[str, Channel] = {}
        self._beats = Lane(
            lambda: self._open("Beats"), BEATS_MAX, lambda *end: self._broken("beats", *end)
        )
        self._appends = Lane(
            lambda: self._open("Appends"), APPENDS_MAX, lambda *end: self._broken("bulk", *end)
        )
        self._why = ""
        self._probing = False
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._closing: dict[asyncio.Task[None], None] = {}  # of connections that broke
        for lane in (self._beats, self._appends):
            self._begin(lane.run())

    def put(self, message: Message) -> None:
        """Send a message, or drop it."""
        # An append without entries says where the log is, too: it must not overtake the others.
        bulk = message.type is MessageType.APP
        if not (self._appends if bulk else self._beats).put(message):
            self._port.unreachable(self._member)

    def put_snapshot(self, message: Message) -> None:
        """Send a snapshot; ends in Port.snapshot_sent."""
        self._begin(self._send_snapshot(message))

    async def close(self) -> None:
        """End the streams, and wait until all connections are closed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in list(self._channels):
            self._renew(name)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        _keep(self._tasks, asyncio.create_task(work))

    def _open(self, method: str) -> BidirectionalCall:
        """A new call; beats have a connection of their own."""
        name = "beats" if method == "Beats" else "bulk"
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(self.address, self._credentials())
        return channel.stream_stream(SERVICE + method)(metadata=self._metadata)

    def _broken(self, channel: str, code: grpc.StatusCode, why: str) -> None:
        self._renew(channel)
        if code is REMOVED:
            self._port.expelled()
        if why != self._why:
            log.info("peer lost", peer=f"{self._member:x}", address=self.address, why=why)
        self._why = why
        self._port.unreachable(self._member)
        if not self._probing:
            self._probing = True
            self._begin(self._probe())

    def _renew(self, name: str) -> None:
        """The next call gets a new connection, with the credentials of then."""
        channel = self._channels.pop(name, None)
        if channel is not None:
            _keep(self._closing, asyncio.create_task(channel.close()))

    async def _probe(self) -> None:
        """Is somebody there? A process that ends closes what it listens on last, so a connection
        that is taken is no answer yet."""
        host, _, port = self.address.rpartition(":")
        try:
            for _ in range(PROBES):
                async with asyncio.timeout(PROBE_S):
                    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                writer.close()
                await asyncio.sleep(PROBE_AGAIN_S)
        except ConnectionRefusedError:
            self._port.refused(self._member)
        except (OSError, ValueError, TimeoutError):
            return  # slow or cut off: its silence will tell
        finally:
            self._probing = False

    async def _send_snapshot(self, message: Message) -> None:
        call, done = self._open("Snapshot"), False
        try:
            pieces = self._port.read_snapshot(message)
            await call.write(codec.encode_head(message))
            async for piece in pieces:
                await call.write(codec.encode_piece(piece))
            await call.done_writing()
            await call.read()
            done = True
        except (SnapshotLostError, asyncio.InvalidStateError) as error:
            log.warning("snapshot not sent", to=f"{self._member:x}", why=str(error))
        except grpc.aio.AioRpcError as error:
            log.warning("snapshot not sent", to=f"{self._member:x}", why=error.details())
        finally:
            call.cancel()
            self._port.snapshot_sent(self._member, done)


def _keep(tasks: dict[asyncio.Task[None], None], task: asyncio.Task[None]) -> None:
    """Among these until it is done."""
    tasks[task] = None
    task.add_done_callback(lambda done: tasks.pop(done, None))
