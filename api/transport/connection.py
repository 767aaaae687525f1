"""One HTTP/2 connection without a socket: bytes in, events out, bytes to send (RFC 9113).

Pure module. `receive` reads what came and returns what happened; the `send…` methods put frames
into `out`, which the link takes and writes. Data waits here, in order, while the peer's windows
are closed; `unsent` tells its writer to wait. What the peer may do wrong ends the connection
(ProtocolError) or, where the RFC says so, the stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from holdfast.api.transport import frames
from holdfast.api.transport.fields import LIST_BYTES_MAX, Block, Decoder, FieldsError
from holdfast.api.transport.frames import Code, Setting
from holdfast.api.transport.outgoing import Outgoing
from holdfast.api.transport.windows import CONNECTION_BYTES, STREAM_BYTES, Allowance

FRAME_BYTES_MAX = 64 << 10
"""Of a frame that we take."""
CONTROLS_UNREAD_MAX = 1000
"""Answers to pings, settings and refused streams that a peer may leave unread."""

_head = struct.Struct(">HBBBL").unpack_from
_long = struct.Struct(">L").unpack_from
_setting = struct.Struct(">HL").iter_unpack


class HeadersReceived(NamedTuple):
    """Fields came on a stream: a request, an answer, or trailers. ended: nothing comes after."""

    stream: int
    block: Block
    ended: bool


class DataReceived(NamedTuple):
    """size: what to give back to `read` when the data was used, padding included."""

    stream: int
    data: bytes
    ended: bool
    size: int


class StreamReset(NamedTuple):
    """The peer, or we for what it did wrong, ended a stream."""

    stream: int
    code: int


class WentAway(NamedTuple):
    """The peer takes no streams above `last_stream`."""

    last_stream: int
    code: int
    text: str


class PingAnswered(NamedTuple):
    """The peer lives."""

    data: bytes


StreamEvent = HeadersReceived | DataReceived | StreamReset
Event = StreamEvent | WentAway | PingAnswered


class ProtocolError(Exception):
    """The peer broke the rules: say so with `send_goaway` and close."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """The state of one connection; the two ends differ in who opens streams."""

    def __init__(self, *, client: bool, streams_max: int) -> None:
        """streams_max: how many the peer may have open at a time."""
        self.client = client
        self.out: list[bytes] = []
        self.peer_streams_max = 1 << 31
        self.last_received = 0  # the highest stream the peer opened
        self._streams_max = streams_max
        self._next = 1
        self._rest = b""
        self._preface_due = not client
        self._decoder = Decoder()
        self._incoming: dict[int, Allowance] = {}  # streams on which the peer may send
        self._allowance = Allowance(CONNECTION_BYTES)
        self._outgoing = Outgoing(self.out, self._sent)
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags: not yet whole
        self._controls = 0
        self._readers: dict[int, Callable[[int, int, bytes, list[Event]], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._push_promise,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._continuation,
        }

    # --- what we send

    def start(self) -> None:
        """The preface and our settings; the first thing on either side."""
        values = {
            Setting.MAX_FRAME_SIZE: FRAME_BYTES_MAX,
            Setting.INITIAL_WINDOW_SIZE: STREAM_BYTES,
            Setting.MAX_HEADER_LIST_SIZE: LIST_BYTES_MAX,
            Setting.ENABLE_PUSH: 0,
        }
        if self.client:
            self.out.append(frames.PREFACE)
        else:
            del values[Setting.ENABLE_PUSH]
            values[Setting.MAX_CONCURRENT_STREAMS] = self._streams_max
        self.out.append(frames.settings(values))
        more = CONNECTION_BYTES - frames.WINDOW_DEFAULT
        self.out.append(frames.window_update(0, more))

    @property
    def may_open(self) -> bool:
        """Whether the peer takes another stream now."""
        return len(self._incoming) < self.peer_streams_max and self._next < frames.WINDOW_MAX

    def open(self, block: bytes) -> int:
        """Client: begin a stream with these fields (`fields.encode`). Returns its number."""
        stream, self._next = self._next, self._next + 2
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
        """End a stream now; nothing of it is reported any more."""
        if self._incoming.pop(stream, None) is not None or self._outgoing.has(stream):
            self._outgoing.close(stream)
            self.out.append(frames.rst_stream(stream, code))

    def send_ping(self, data: bytes) -> None:
        """Ask whether the peer lives. data: eight bytes."""
        self.out.append(frames.ping(data))

    def send_goaway(self, code: Code, text: str = "") -> None:
        """Take no more streams."""
        self.out.append(frames.goaway(self.last_received, code, text.encode()))

    def written(self) -> None:
        """The link's own buffer is not full: the peer reads what we write."""
        self._controls = 0

    def unsent(self, stream: int) -> int:
        """Bytes that wait for the peer's windows on this stream."""
        return self._outgoing.unsent(stream)

    def read(self, stream: int, size: int) -> None:
        """The data of a `DataReceived` was used: let the peer send as much again."""
        more = self._allowance.give_back(size)
        if more:
            self.out.append(frames.window_update(0, more))
        allowance = self._incoming.get(stream)
        if allowance is not None and (more := allowance.give_back(size)):
            self.out.append(frames.window_update(stream, more))

    def _sent(self, stream: int) -> None:
        """Our side has ended. A server's answer is complete then: what the client still wants to
        send is not needed (§8.1)."""
        if not self.client and self._incoming.pop(stream, None) is not None:
            self.out.append(frames.rst_stream(stream, Code.NO_ERROR))

    # --- what we receive

    def receive(self, data: bytes) -> list[Event]:
        """What happened with these bytes. Raises ProtocolError; then nothing more may be read."""
        events: list[Event] = []
        if self._rest:
            data = self._rest + data
        start = self._preface(data) if self._preface_due else 0
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
            if self._block is not None and kind != frames.CONTINUATION:
                raise ProtocolError(Code.PROTOCOL_ERROR, "header fields were interrupted")
            read = self._readers.get(kind)
            if read is not None:  # unknown kinds are ignored (§4.1)
                read(flags, stream & 0x7FFFFFFF, payload, events)
        self._rest = data[start:]
        return events

    def _preface(self, data: bytes) -> int:
        """A client's first bytes (§3.4). Returns where the frames begin."""
        wanted = frames.PREFACE
        if not wanted.startswith(data[: len(wanted)]):
            raise ProtocolError(Code.PROTOCOL_ERROR, "the client does not speak HTTP/2")
        if len(data) < len(wanted):
            return 0
        self._preface_due = False
        return len(wanted)

    def _data(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        size = len(payload)
        if not self._allowance.take(size):
            raise ProtocolError(Code.FLOW_CONTROL_ERROR, "more data than the connection's window")
        allowance = self._incoming.get(stream)
        if allowance is None:
            if stream == 0 or self._is_idle(stream):
                raise ProtocolError(Code.PROTOCOL_ERROR, f"data on stream {stream}")
            self.read(stream, size)  # it ended while this was on its way
            return
        if not allowance.take(size):
            self._fail(stream, Code.FLOW_CONTROL_ERROR, events)
            self.read(stream, size)
            return
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        ended = bool(flags & frames.END_STREAM)
        if ended:
            del self._incoming[stream]
        events.append(DataReceived(stream, payload, ended, size))

    def _headers(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        if flags & frames.WITH_PRIORITY:
            payload = payload[5:]
        if flags & frames.END_HEADERS:
            self._fields(flags, stream, payload, events)
        else:
            self._block = (stream, flags, bytearray(payload))

    def _continuation(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if self._block is None or self._block[0] != stream:
            raise ProtocolError(Code.PROTOCOL_ERROR, "header fields go on that never began")
        _, first_flags, block = self._block
        block += payload
        if len(block) > LIST_BYTES_MAX:
            raise ProtocolError(Code.ENHANCE_YOUR_CALM, "too many header fields")
        if flags & frames.END_HEADERS:
            self._block = None
            self._fields(first_flags, stream, bytes(block), events)

    def _fields(self, flags: int, stream: int, data: bytes, events: list[Event]) -> None:
        try:
            block = self._decoder.decode(data)
        except FieldsError as error:
            raise ProtocolError(Code.COMPRESSION_ERROR, str(error)) from None
        ended = bool(flags & frames.END_STREAM)
        if stream not in self._incoming and not self._begun(stream):
            return
        if ended:
            del self._incoming[stream]
        events.append(HeadersReceived(stream, block, ended))

    def _begun(self, stream: int) -> bool:
        """Whether fields on a stream that is not open begin one."""
        if self.client or stream % 2 == 0:
            if stream == 0 or self._is_idle(stream):
                raise ProtocolError(Code.PROTOCOL_ERROR, f"header fields on stream {stream}")
            return False
        if stream <= self.last_received:
            return False  # it ended while these were on their way
        self.last_received = stream
        if len(self._incoming) >= self._streams_max:
            self._control(frames.rst_stream(stream, Code.REFUSED_STREAM))
            return False
        self._incoming[stream] = Allowance(STREAM_BYTES)
        self._outgoing.open(stream)
        return True

    def _is_idle(self, stream: int) -> bool:
        """Whether nobody ever opened it."""
        if stream % 2:
            return stream >= self._next if self.client else stream > self.last_received
        return True

    def _reset(self, _flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if len(payload) != 4:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a RST_STREAM of a wrong size")
        if stream == 0 or self._is_idle(stream):
            raise ProtocolError(Code.PROTOCOL_ERROR, f"stream {stream} was reset")
        self._incoming.pop(stream, None)
        self._outgoing.close(stream)
        events.append(StreamReset(stream, _long(payload)[0]))

    def _fail(self, stream: int, code: Code, events: list[Event]) -> None:
        """End a stream for what the peer did wrong on it."""
        self.send_reset(stream, code)
        events.append(StreamReset(stream, code))

    def _settings(self, flags: int, stream: int, payload: bytes, _events: list[Event]) -> None:
        if stream or len(payload) % 6:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & frames.ACK:
            return
        for key, value in _setting(payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                if value > frames.WINDOW_MAX or not self._outgoing.stream_window(value):
                    raise ProtocolError(Code.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
            elif key == Setting.MAX_FRAME_SIZE:
                if not frames.FRAME_BYTES_DEFAULT <= value < 1 << 24:
                    raise ProtocolError(Code.PROTOCOL_ERROR, f"frames of {value} bytes")
                self._outgoing.frame_bytes(value)
            elif key == Setting.MAX_CONCURRENT_STREAMS:
                self.peer_streams_max = value
        self._control(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _push_promise(self, _flags: int, _stream: int, _payload: bytes, _: list[Event]) -> None:
        raise ProtocolError(Code.PROTOCOL_ERROR, "PUSH_PROMISE was not allowed")

    def _ping(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if stream or len(payload) != 8:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "malformed PING")
        if flags & frames.ACK:
            events.append(PingAnswered(payload))
        else:
            self._control(frames.ping(payload, ack=True))

    def _goaway(self, _flags: int, _stream: int, payload: bytes, events: list[Event]) -> None:
        if len(payload) < 8:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a GOAWAY of a wrong size")
        text = payload[8:].decode(errors="replace")
        last_stream = _long(payload)[0] & 0x7FFFFFFF
        events.append(WentAway(last_stream, _long(payload, 4)[0], text))

    def _window_update(self, _flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if len(payload) != 4:
            raise ProtocolError(Code.FRAME_SIZE_ERROR, "a WINDOW_UPDATE of a wrong size")
        amount = _long(payload)[0] & 0x7FFFFFFF
        if amount and self._outgoing.window_grew(stream, amount):
            return
        if stream == 0:
            raise ProtocolError(Code.FLOW_CONTROL_ERROR, f"the window grew by {amount}")
        self._fail(stream, Code.FLOW_CONTROL_ERROR, events)

    def _control(self, answer: bytes) -> None:
        """An answer that costs the peer nothing to ask for: so many, and no more."""
        self._controls += 1
        if self._controls > CONTROLS_UNREAD_MAX:
            raise ProtocolError(Code.ENHANCE_YOUR_CALM, "too many frames that want an answer")
        self.out.append(answer)


def _unpadded(payload: bytes) -> bytes:
    """Without the padding (§6.1)."""
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(Code.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]
