"""One HTTP/2 connection without a socket: bytes in, events out, bytes to send (RFC 9113).

Pure module. `receive` reads what came and returns what happened; the `send…` methods put frames
into `out`, which the link takes and writes. Data waits here, in order, while the peer's windows
are closed; `unsent` tells its writer to wait. What the peer may do wrong ends the connection
(ProtocolError) or, where the RFC says so, the stream; what wears us out is counted by `patience`.

Windows that we grant are two accounts. The connection's is given back as a whole by `give_back`,
whatever became of the streams, so that no way for a stream to end can leak it. A stream's is given
back by `read`, by whoever used the data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

from holdfast.api.transport.http2 import frames, settings
from holdfast.api.transport.http2.blocks import Blocks, unpadded
from holdfast.api.transport.http2.events import (
    DataReceived,
    Event,
    HeadersReceived,
    PingAnswered,
    ProtocolError,
    SettingsReceived,
    StreamReset,
    WentAway,
)
from holdfast.api.transport.http2.floods import Patience
from holdfast.api.transport.http2.frames import Code, Setting
from holdfast.api.transport.http2.outgoing import Outgoing
from holdfast.api.transport.http2.settings import FRAME_BYTES_MAX
from holdfast.api.transport.http2.windows import CONNECTION_BYTES, STREAM_BYTES, Allowance

_PING_EFFORT, _RESET_EFFORT, _SETTINGS_EFFORT = 1, 2, 20

_head = struct.Struct(">HBBBL").unpack_from
_long = struct.Struct(">L").unpack_from


class Connection:
    """The state of one connection; the two ends differ in who opens streams."""

    def __init__(self, *, client: bool, streams_max: int) -> None:
        """streams_max: how many the peer may have open at a time."""
        self.client = client
        self.out: list[bytes] = []
        self.greeted = False  # the peer's first SETTINGS came
        self.peer_streams_max = 1 << 31
        self.last_received = 0  # the highest stream the peer opened
        self._streams_max = streams_max
        self._next = 1
        self._rest = b""
        self._preface_due = not client
        self._left = False  # we sent GOAWAY
        self._failed = False
        self._blocks = Blocks()
        self._open: set[int] = set()  # streams that have not ended on both sides; only asked
        self._incoming: dict[int, Allowance] = {}  # of those, where the peer may send
        self._allowance = Allowance(CONNECTION_BYTES)
        self._due = 0  # bytes of the connection's window that were not given back
        self._outgoing = Outgoing(self.out, self._sent)
        self.patience = Patience(self.out)
        self._tire, self._answer = self.patience.tire, self.patience.answer

    # --- what we send

    def start(self) -> None:
        """The preface and our settings; the first thing on either side."""
        self.out += settings.ours(client=self.client, streams_max=self._streams_max)

    @property
    def may_open(self) -> bool:
        """Whether the peer takes another stream now."""
        return len(self._open) < self.peer_streams_max

    @property
    def exhausted(self) -> bool:
        """Whether the numbers of streams are used up (§5.1.1): a new connection is needed."""
        return self._next >= frames.WINDOW_MAX

    @property
    def streams_open(self) -> int:
        """Streams that have not ended on both sides."""
        return len(self._open)

    @property
    def unsent_bytes(self) -> int:
        """What waits for the peer's windows, on all streams."""
        return self._outgoing.unsent_bytes

    def open(self, block: bytes) -> int:
        """Client: begin a stream with these fields (`fields.encode`). Returns its number."""
        stream, self._next = self._next, self._next + 2
        self._open.add(stream)
        self._incoming[stream] = Allowance(STREAM_BYTES)
        self._outgoing.open(stream)
        self._outgoing.headers(stream, block, ended=False)
        return stream

    def send_headers(self, stream: int, block: bytes, *, ended: bool = False) -> None:
        """Fields on a stream, after the data that waits there."""
        self._outgoing.headers(stream, block, ended)

    def send_data(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        """Bytes on a stream, at once or when its windows open."""
        self._outgoing.data(stream, data, ended)

    def send_reset(self, stream: int, code: Code) -> None:
        """End a stream now, unless it has ended; nothing of it is reported any more."""
        if stream in self._open:
            self._close(stream)
            self.out.append(frames.rst_stream(stream, code))

    def send_ping(self, data: bytes) -> None:
        """Ask whether the peer lives. data: eight bytes."""
        self.out.append(frames.ping(data))

    def send_goaway(self, code: Code, text: str = "") -> None:
        """Take no more streams: those that come later are as if they had never been sent."""
        self._left = True
        self.out.append(frames.goaway(self.last_received, code, text.encode()))

    def lost(self) -> None:
        """The transport is gone: nothing is sent any more. What refers back here is let go, so
        that a connection is freed at its end: a program that keeps much seldom looks for cycles."""
        self._outgoing = Outgoing(self.out, lambda _stream: None)

    def unsent(self, stream: int) -> int:
        """Bytes that wait for the peer's windows on this stream."""
        return self._outgoing.unsent(stream)

    def drained(self) -> list[int]:
        """Streams on which nothing waits any more since a window opened; each told once."""
        if not self._outgoing.drained:
            return []
        drained, self._outgoing.drained = self._outgoing.drained, []
        return drained

    def give_back(self) -> None:
        """Let the peer send on this connection as much again as came since the last time."""
        if self._due:
            more, self._due = self._allowance.give_back(self._due), 0
            if more:
                self.out.append(frames.window_update(0, more))

    def read(self, stream: int, size: int) -> None:
        """The data of a `DataReceived` was used: let the peer send as much on its stream."""
        allowance = self._incoming.get(stream)
        if allowance is not None and (more := allowance.give_back(size)):
            self.out.append(frames.window_update(stream, more))

    def _sent(self, stream: int) -> None:
        """Our side has ended. A server's answer is complete then: what the client still wants to
        send is not needed (§8.1)."""
        if stream not in self._incoming:
            self._open.discard(stream)
        elif not self.client:
            self._close(stream)
            self.out.append(frames.rst_stream(stream, Code.NO_ERROR))

    def _close(self, stream: int) -> None:
        self._open.discard(stream)
        self._incoming.pop(stream, None)
        self._outgoing.close(stream)

    # --- what we receive

    def receive(self, data: bytes) -> list[Event]:
        """What happened with these bytes. Raises ProtocolError, which has what happened before it;
        what comes after it is not looked at."""
        events: list[Event] = []
        if self._failed:
            return events
        try:
            self._receive(data, events)
        except ProtocolError as error:
            self._failed, self._rest = True, b""
            error.events = events
            raise
        return events

    def _receive(self, data: bytes, events: list[Event]) -> None:
        if self._rest:
            data = self._rest + data
        start = 0
        if not self.greeted:
            start = settings.greeting(data, preface_due=self._preface_due)
            self._preface_due = self._preface_due and not start
        end = len(data)
        while end - start >= frames.HEAD_BYTES and not self._preface_due:
            high, low, kind, flags, stream = _head(data, start)
            size = high << 8 | low
            if size > FRAME_BYTES_MAX:
                raise ProtocolError(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            after = start + frames.HEAD_BYTES + size
            if after > end:
                break
            payload = data[start + frames.HEAD_BYTES : after]
            start = after
            if self._blocks.unfinished is not None and kind != frames.CONTINUATION:
                raise ProtocolError(Code.PROTOCOL_ERROR, "header fields were interrupted")
            read = self._readers.get(kind, Connection._ignored)  # unknown kinds are ignored (§4.1)
            read(self, flags, stream & 0x7FFFFFFF, payload, events)
        self._rest = data[start:]

    def _data(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        size = len(payload)
        if not self._allowance.take(size):
            raise ProtocolError(Code.FLOW_CONTROL_ERROR, "more data than the connection's window")
        self._due += size
        allowance = self._incoming.get(stream)
        if allowance is None:
            if stream == 0 or self._is_idle(stream):
                raise ProtocolError(Code.PROTOCOL_ERROR, f"data on stream {stream}")
            if stream in self._open:
                self._fail(stream, Code.STREAM_CLOSED, events)
            return  # it ended while this was on its way
        if not allowance.take(size):
            self._fail(stream, Code.FLOW_CONTROL_ERROR, events)
            return
        if flags & frames.PADDED:
            payload = unpadded(payload)
        ended = bool(flags & frames.END_STREAM)
        if ended:
            self._received(stream)
        elif not payload:
            self._tire(1)
        events.append(DataReceived(stream, payload, ended, size))

    def _received(self, stream: int) -> None:
        """The peer's side has ended."""
        del self._incoming[stream]
        if not self._outgoing.has(stream):
            self._open.discard(stream)

    def _headers(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if whole := self._blocks.headers(flags, stream, payload):
            self._fields(whole, events)

    def _continuation(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        self._tire(1)
        if whole := self._blocks.continuation(flags, stream, payload):
            self._fields(whole, events)

    def _fields(self, whole: HeadersReceived, events: list[Event]) -> None:
        stream = whole.stream
        if stream not in self._incoming:
            if stream in self._open:
                self._fail(stream, Code.STREAM_CLOSED, events)
                return
            if not self._begun(stream):
                return
        if whole.ended:
            self._received(stream)
        events.append(whole)

    def _begun(self, stream: int) -> bool:
        """Whether fields on a stream that is not open begin one."""
        if self.client or stream % 2 == 0:
            if self._is_idle(stream):
                raise ProtocolError(Code.PROTOCOL_ERROR, f"header fields on stream {stream}")
            return False
        if stream <= self.last_received or self._left:
            self._tire(1)
            return False  # it ended, or we left, while these were on their way
        self.last_received = stream
        if len(self._open) >= self._streams_max:
            self._answer(frames.rst_stream(stream, Code.REFUSED_STREAM), _RESET_EFFORT)
            return False
        self._open.add(stream)
        self._incoming[stream] = Allowance(STREAM_BYTES)
        self._outgoing.open(stream)
        return True

    def _is_idle(self, stream: int) -> bool:
        """Whether nobody ever opened it."""
        if stream % 2:
            known = self._next if self.client else self.last_received + 1
            return stream >= known and not self._left
        return True

    def _reset(self, _flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if len(payload) != 4:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a RST_STREAM of a wrong size")
        if stream == 0 or self._is_idle(stream):
            raise ProtocolError(Code.PROTOCOL_ERROR, f"stream {stream} was reset")
        self._tire(_RESET_EFFORT)
        if stream in self._open:
            self._close(stream)
            events.append(StreamReset(stream, _long(payload)[0]))

    def _fail(self, stream: int, code: Code, events: list[Event]) -> None:
        """End a stream, if it is open, for what the peer did wrong on it."""
        if stream in self._open:
            self.send_reset(stream, code)
            events.append(StreamReset(stream, code))

    def _settings(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if stream:
            raise ProtocolError(Code.PROTOCOL_ERROR, f"SETTINGS on stream {stream}")
        if len(payload) % 6 or (flags & frames.ACK and payload):
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & frames.ACK:
            self._tire(1)
            return
        # Before what they allow: a peer holds us to the old windows until it is acknowledged.
        self._answer(frames.frame(frames.SETTINGS, frames.ACK, 0), _SETTINGS_EFFORT)
        self._set(settings.theirs(payload))
        events.append(SettingsReceived(not self.greeted))
        self.greeted = True

    def _set(self, values: dict[int, int]) -> None:
        # Before the window: what waits for that goes out in frames that are taken.
        if Setting.MAX_FRAME_SIZE in values:
            self._outgoing.frame_bytes(values[Setting.MAX_FRAME_SIZE])
        window = values.get(Setting.INITIAL_WINDOW_SIZE)
        if window is not None and not self._outgoing.stream_window(window):
            raise ProtocolError(Code.FLOW_CONTROL_ERROR, f"a window of {window} bytes")
        if Setting.MAX_CONCURRENT_STREAMS in values:
            self.peer_streams_max = values[Setting.MAX_CONCURRENT_STREAMS]

    def _push_promise(self, _flags: int, _stream: int, _payload: bytes, _: list[Event]) -> None:
        raise ProtocolError(Code.PROTOCOL_ERROR, "PUSH_PROMISE was not allowed")

    def _ignored(self, _flags: int, _stream: int, _payload: bytes, _: list[Event]) -> None:
        """PRIORITY, which is deprecated (§5.3.2), and kinds that we do not know."""
        self._tire(1)

    def _ping(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if stream:
            raise ProtocolError(Code.PROTOCOL_ERROR, f"PING on stream {stream}")
        if len(payload) != 8:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "malformed PING")
        if flags & frames.ACK:
            self._tire(_PING_EFFORT)
            events.append(PingAnswered(payload))
        else:
            self._answer(frames.ping(payload, ack=True), _PING_EFFORT)

    def _goaway(self, _flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if stream:
            raise ProtocolError(Code.PROTOCOL_ERROR, f"GOAWAY on stream {stream}")
        if len(payload) < 8:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a GOAWAY of a wrong size")
        self._tire(1)
        text = payload[8:].decode(errors="replace")
        last_stream = _long(payload)[0] & 0x7FFFFFFF
        events.append(WentAway(last_stream, _long(payload, 4)[0], text))

    def _window_update(self, _flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if len(payload) != 4:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a WINDOW_UPDATE of a wrong size")
        if stream and self._is_idle(stream):
            raise ProtocolError(Code.PROTOCOL_ERROR, f"a window for stream {stream}")
        amount = _long(payload)[0] & 0x7FFFFFFF
        if amount and self._outgoing.window_grew(stream, amount):
            return
        code = Code.FLOW_CONTROL_ERROR if amount else Code.PROTOCOL_ERROR
        if stream == 0:
            raise ProtocolError(code, f"the window grew by {amount}")
        self._fail(stream, code, events)

    _readers: ClassVar[dict[int, Callable[[Connection, int, int, bytes, list[Event]], None]]] = {
        frames.DATA: _data,
        frames.HEADERS: _headers,
        frames.PRIORITY: _ignored,
        frames.RST_STREAM: _reset,
        frames.SETTINGS: _settings,
        frames.PUSH_PROMISE: _push_promise,
        frames.PING: _ping,
        frames.GOAWAY: _goaway,
        frames.WINDOW_UPDATE: _window_update,
        frames.CONTINUATION: _continuation,
    }
