"""A connection on an asyncio transport: both ends of the wire stand on this.

`Link` feeds what comes to the connection, hands its events to the owner (`server` or `channel`),
and writes what the connection has put out once a turn of the loop, however many calls wrote. It
asks the peer for a sign of life when nothing came for a while.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import Future
from collections.abc import Sequence
from typing import Any, Protocol, cast

from holdfast.api.transport.connection import (
    Connection,
    Event,
    PingAnswered,
    ProtocolError,
    StreamEvent,
    StreamReset,
    WentAway,
)
from holdfast.api.transport.frames import Code
from holdfast.api.transport.stream import Stream

PING_AFTER_S = 20.0
"""Nothing came for so long: ask. In a program that only waits this finds a dead peer."""
PING_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
WRITE_BUFFER_BYTES = 256 << 10
"""More than this unwritten, and writers of streams wait."""
_PING = b"holdfast"


class Owner(Protocol):
    """Who answers for a link."""

    def opened(self, link: Link) -> None:
        """The transport (and TLS) stands."""

    def happened(self, link: Link, event: StreamEvent) -> None:
        """Something happened on a stream."""

    def went_away(self, link: Link) -> None:
        """The peer takes no new streams; those that it did look at go on."""

    def closed(self, link: Link, _why: str) -> None:
        """It is over. Every stream of it was told before."""


class Link(asyncio.Protocol):
    """One connection and its streams, by number."""

    def __init__(self, connection: Connection, owner: Owner) -> None:
        self.connection = connection
        self.streams: dict[int, Stream] = {}
        self.leaving = False  # no new streams: one side said so
        self.transport: asyncio.Transport | None = None
        self.peer: dict[str, list[bytes]] | None = None  # its certificate, once it was asked for
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._flushing = False
        self._paused = False
        self._room: list[Future[None]] = []  # set when something was written; writers wait
        self._heard_at = 0.0
        self._pinged = False
        self._keepalive: asyncio.TimerHandle | None = None
        self._why = ""
        self._over: Future[None] = self._loop.create_future()  # set by connection_lost

    # --- for calls

    def flush(self) -> None:
        """Write what the connection has put out, at the end of this turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._write)

    def full(self, stream: int) -> bool:
        """Whether a writer of this stream should wait."""
        return self._paused or self.connection.unsent(stream) > 0

    async def room(self, stream: int) -> None:
        """Until the stream may be written, or the link is closed."""
        while self.full(stream) and self.transport is not None and stream in self.streams:
            waiting: Future[None] = self._loop.create_future()
            self._room.append(waiting)
            await waiting

    def leave(self, code: Code = Code.NO_ERROR, text: str = "") -> None:
        """Take no more streams; close when the last one has ended."""
        if not self.leaving:
            self.leaving = True
            self.connection.send_goaway(code, text)
            self.flush()
        self.close_if_idle()

    def forget(self, stream: int) -> None:
        """A stream has ended."""
        self.streams.pop(stream, None)
        if self.leaving:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """A link that both sides leave ends with its last stream."""
        if not self.streams:
            self.close("done")

    def close(self, why: str) -> None:
        """Write what is left, then end."""
        if self.transport is not None and not self.transport.is_closing():
            self._why = self._why or why
            self._write()
            self.transport.close()

    def abort(self, why: str) -> None:
        """End at once."""
        if self.transport is not None:
            self._why = self._why or why
            self.transport.abort()

    async def ended(self) -> None:
        """Until it is over; the peer is given CLOSE_TIMEOUT_S to end its side of TLS."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(self._over)
        except TimeoutError:
            if self.transport is not None:  # else it never stood
                self.abort("the peer did not close")
                await self._over

    def transport_info(self, name: str) -> Any:
        """What the transport knows: "peername", "ssl_object"."""
        return self.transport.get_extra_info(name) if self.transport is not None else None

    # --- for the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP and TLS stand."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._heard_at = self._loop.time()
        self._keepalive = self._loop.call_later(PING_AFTER_S, self._look)
        self.connection.start()
        self._write()
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        self._heard_at = self._loop.time()
        try:
            events = self.connection.receive(data)
        except ProtocolError as error:
            self.connection.send_goaway(error.code, str(error))
            self.close(f"the peer broke the protocol: {error}")
            return
        self._tell(events)
        if self.connection.out:
            self._write()
        if self._room:
            self._wake()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        self._wake()

    def eof_received(self) -> bool:
        """The peer will send no more; nothing is worth keeping open for it."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end: every stream is told why."""
        self.transport = None
        self.leaving = True
        if self._keepalive is not None:
            self._keepalive.cancel()
        why = self._why or _reason(exc)
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            stream.lost(why)
        self._wake()
        self._owner.closed(self, why)
        if not self._over.done():
            self._over.set_result(None)

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, PingAnswered):
                self._pinged = False
            elif isinstance(event, WentAway):
                self._gone(event)
            else:
                self._owner.happened(self, event)

    def _gone(self, event: WentAway) -> None:
        """GOAWAY: streams that it never looked at end here."""
        self.leaving = True
        if event.code:
            self._why = f"the peer closed the connection: {event.text or Code(event.code).name}"
        if self.connection.client:
            for number in [n for n in self.streams if n > event.last_stream]:
                self._owner.happened(self, StreamReset(number, Code.REFUSED_STREAM))
        self._owner.went_away(self)
        self.close_if_idle()

    def _write(self) -> None:
        self._flushing = False
        connection = self.connection
        out = connection.out
        if not out or self.transport is None:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self.transport.write(data)
        if not self._paused:
            connection.written()

    def _wake(self) -> None:
        waiting, self._room = self._room, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def _look(self) -> None:
        """Every PING_AFTER_S of silence: ask, and give up when there is no answer."""
        quiet_s = self._loop.time() - self._heard_at
        if self._pinged and quiet_s >= PING_TIMEOUT_S:
            self.abort(f"the peer has not answered for {quiet_s:.0f} s")
            return
        if quiet_s >= PING_AFTER_S:
            self._pinged = True
            self.connection.send_ping(_PING)
            self._write()
            wait_s = PING_TIMEOUT_S
        else:
            self._pinged = False
            wait_s = PING_AFTER_S - quiet_s
        self._keepalive = self._loop.call_later(wait_s, self._look)


def _reason(error: Exception | None) -> str:
    if error is None:
        return "the peer closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"the TLS connection failed: {error.reason or error}"
    return f"the connection broke: {error}"
