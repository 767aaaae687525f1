"""HTTP/2 frames as bytes (RFC 9113 §4, §6): their numbers, and how each is written.

Pure module. `connection` reads them.
"""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
FRAME_BYTES_DEFAULT = 16_384
WINDOW_DEFAULT = 65_535
WINDOW_MAX = (1 << 31) - 1

DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20


class Setting(IntEnum):
    """Parameters of SETTINGS (§6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(IntEnum):
    """Error codes (§7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


_head = struct.Struct(">HBBBL").pack
_long = struct.Struct(">L").pack
_setting = struct.Struct(">HL").pack


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame. The payload's length is the caller's to bound."""
    size = len(payload)
    return _head(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(_setting(key, value) for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream: int, amount: int) -> bytes:
    """So many bytes more may be sent to us, on a stream or (0) on the connection."""
    return frame(WINDOW_UPDATE, 0, stream, _long(amount))


def rst_stream(stream: int, code: int) -> bytes:
    """The stream is over, at once."""
    return frame(RST_STREAM, 0, stream, _long(code))


def goaway(last_stream: int, code: int, text: bytes = b"") -> bytes:
    """No stream above `last_stream` was or will be looked at."""
    return frame(GOAWAY, 0, 0, _long(last_stream) + _long(code) + text[:256])


def ping(data: bytes, ack: bool = False) -> bytes:
    """A ping, or the answer to one. data: eight bytes."""
    return frame(PING, ACK if ack else 0, 0, data)
