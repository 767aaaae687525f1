"""A connection on an asyncio transport: both ends of the wire stand on this.

`Link` feeds what comes to the connection, hands its events to the owner (`server` or `channel`),
and writes what the connection has put out once a turn of the loop, however many calls wrote. It
asks the peer for a sign of life when nothing came for a while.

What one link may hold in memory: `held_bytes_max` of what came and was not read, a window of
16 MiB beside it, and BACKLOG_BYTES_MAX of what we want to send and the peer does not take.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any, Protocol, cast

from holdfast.api.transport import failures
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import (
    Event,
    PingAnswered,
    ProtocolError,
    SettingsReceived,
    StreamEvent,
    StreamReset,
    WentAway,
)
from holdfast.api.transport.http2.frames import Code
from holdfast.api.transport.stream import Stream

GREETING_TIMEOUT_S = 10.0
"""From the end of the TLS handshake until the peer's SETTINGS; a peer without is cut."""
PING_AFTER_S = 20.0
"""Nothing came for so long: ask. In a program that only waits this finds a dead peer."""
PING_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
"""For whoever waits for the end of a link: the peer may take so long to end its side of TLS."""
CLOSING_S_MAX = 5.0
"""And when nobody waits."""
REST_S = 1.0
"""How often a peer's useless frames are counted anew (`Patience.rested`)."""
WRITE_BUFFER_BYTES = 256 << 10
"""More than this unwritten, and writers of streams wait."""
BACKLOG_BYTES_MAX = 256 << 20
"""More than this unwritten or held back by the peer's windows, and the link is cut."""
_PING = b"holdfast"


class Owner(Protocol):
    """Who answers for a link."""

    def opened(self, link: Link) -> None:
        """The transport (and TLS) stands."""

    def settled(self, link: Link, first: bool, /) -> None:
        """The peer's SETTINGS came. first: it speaks HTTP/2, streams may begin."""

    def happened(self, link: Link, event: StreamEvent) -> None:
        """Something happened on a stream."""

    def went_away(self, link: Link) -> None:
        """The peer takes no new streams; those that it did look at go on."""

    def closed(self, link: Link, why: str, /) -> None:
        """It is over. Every stream of it was told before."""


class Link(asyncio.Protocol):
    """One connection and its streams, by number."""

    def __init__(self, connection: Connection, owner: Owner, held_bytes_max: int) -> None:
        """held_bytes_max: of what came, on all streams, and was not read."""
        self.connection = connection
        self.streams: dict[int, Stream] = {}
        self.busy = 0  # a server's handlers at work, those that are being cancelled included
        self.held_bytes = 0
        self.held_bytes_max = held_bytes_max
        self.leaving = False  # no new streams: one side said so
        self.transport: asyncio.Transport | None = None
        self.peer: dict[str, list[bytes]] | None = None  # its certificate, once it was asked for
        self.why = ""  # it ended, or will
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._flushing = False
        self._paused = False
        self._closing = False  # nothing that comes is looked at
        self._room: dict[int, list[Future[None]]] = {}  # set when a stream may be written
        self._heard_at = 0.0
        self._rested_at = 0.0
        self._pinged = False
        self._timer: asyncio.TimerHandle | None = None
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
        """Until the stream may be written, or has ended."""
        while stream in self.streams and self.full(stream):
            waiting: Future[None] = self._loop.create_future()
            self._room.setdefault(stream, []).append(waiting)
            try:
                await waiting
            finally:
                others = self._room.get(stream)
                if others is not None and waiting in others:
                    others.remove(waiting)

    def released(self, size: int) -> None:
        """So many of the held bytes were read, or dropped with their stream."""
        starved = self.held_bytes > self.held_bytes_max
        self.held_bytes -= size
        if starved and self.held_bytes <= self.held_bytes_max:
            self.connection.give_back()
            self.flush()

    def leave(self, code: Code = Code.NO_ERROR, text: str = "") -> None:
        """Take no more streams; close when the last one has ended."""
        if not self.leaving:
            self.leaving = True
            self.connection.send_goaway(code, text)
            self.flush()
        self.close_if_idle()

    def forget(self, stream: int) -> None:
        """A stream has ended."""
        ended = self.streams.pop(stream, None)
        if ended is not None:
            ended.settle()
            if self._room:
                self._wake(stream)
        if self.leaving:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """A link that both sides leave ends with its last stream."""
        if not self.streams:
            self.close("the connection was not used any more")

    def close(self, why: str) -> None:
        """Write what is left, then end."""
        self.leaving = True
        if self.transport is not None and not self._closing:
            self._closing = True
            self.why = self.why or why
            self._write()
            self.transport.close()
            self._after(CLOSING_S_MAX, self._cut)

    def abort(self, why: str) -> None:
        """End at once."""
        self.leaving = self._closing = True
        if self.transport is not None:
            self.why = self.why or why
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
        self._heard_at = self._rested_at = self._loop.time()
        self._after(GREETING_TIMEOUT_S, self._look)
        self.connection.start()
        self._write()
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._closing:
            return
        connection = self.connection
        self._heard_at = now = self._loop.time()
        if now - self._rested_at >= REST_S:
            self._rested_at = now
            connection.patience.rested()
        try:
            events = connection.receive(data)
        except ProtocolError as error:
            self._tell(error.events)
            connection.send_goaway(error.code, str(error))
            self.close(f"the peer broke the protocol: {error}")
            return
        self._tell(events)
        if self.held_bytes <= self.held_bytes_max:
            connection.give_back()
        if connection.out:
            self._write()
        for stream in connection.drained():
            if not self._paused:
                self._wake(stream)

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        for stream in list(self._room):
            self._wake(stream)

    def eof_received(self) -> bool:
        """The peer will send no more; nothing is worth keeping open for it."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end: every stream is told why."""
        self.transport = None
        self.connection.lost()
        self.leaving = self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self.why = self.why or failures.of_connection(exc)
        for stream in list(self.streams.values()):
            stream.lost(self.why)
            self.forget(stream.number)
        self._owner.closed(self, self.why)
        if not self._over.done():
            self._over.set_result(None)

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, StreamEvent):
                self._owner.happened(self, event)
            elif isinstance(event, PingAnswered):
                self._pinged = False
            elif isinstance(event, SettingsReceived):
                self._owner.settled(self, event.first)
            else:
                self._gone(event)

    def _gone(self, event: WentAway) -> None:
        """GOAWAY: streams that it never looked at end here."""
        self.leaving = True
        if event.code:
            text = event.text or failures.code_name(event.code)
            self.why = f"the peer closed the connection: {text}"
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
            connection.patience.written()
        if self._paused or connection.unsent_bytes:
            waiting = connection.unsent_bytes + self.transport.get_write_buffer_size()
            if waiting > BACKLOG_BYTES_MAX:
                self.abort("the peer does not read what is sent to it")

    def _wake(self, stream: int) -> None:
        for one in self._room.pop(stream, ()):
            if not one.done():
                one.set_result(None)

    def _after(self, wait_s: float, what: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_s, what)

    def _cut(self) -> None:
        self.abort("the peer did not close")

    def _look(self) -> None:
        """Every PING_AFTER_S of silence: ask, and give up when there is no answer."""
        if not self.connection.greeted:
            self.abort(f"the peer said nothing for {GREETING_TIMEOUT_S:.0f} s")
            return
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
        self._after(wait_s, self._look)
