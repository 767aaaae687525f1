"""What two ends say of themselves (RFC 9113 §3.4, §6.5): preface and SETTINGS, ours and theirs.

Pure module, `connection`'s own, which says when and puts into effect what is read here.
"""

from __future__ import annotations

import struct

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.events import ProtocolError
from holdfast.api.transport.http2.fields import LIST_BYTES_MAX
from holdfast.api.transport.http2.frames import Code, Setting
from holdfast.api.transport.http2.windows import CONNECTION_BYTES, STREAM_BYTES

FRAME_BYTES_MAX = 64 << 10
"""Of a frame that we take."""

_setting = struct.Struct(">HL").iter_unpack


def ours(*, client: bool, streams_max: int) -> list[bytes]:
    """The preface and our settings; the first thing on either side. streams_max: a server's."""
    values = {
        Setting.MAX_FRAME_SIZE: FRAME_BYTES_MAX,
        Setting.INITIAL_WINDOW_SIZE: STREAM_BYTES,
        Setting.MAX_HEADER_LIST_SIZE: LIST_BYTES_MAX,
    }
    if client:
        values[Setting.ENABLE_PUSH] = 0
    else:
        values[Setting.MAX_CONCURRENT_STREAMS] = streams_max
    more = CONNECTION_BYTES - frames.WINDOW_DEFAULT
    first = [frames.settings(values), frames.window_update(0, more)]
    return [frames.PREFACE, *first] if client else first


def greeting(data: bytes, *, preface_due: bool) -> int:
    """A peer's first bytes: a client's preface while it is due, and SETTINGS. Returns where the
    frames begin; 0 while the preface is not whole. Raises ProtocolError."""
    start = 0
    if preface_due:
        if not frames.PREFACE.startswith(data[: len(frames.PREFACE)]):
            raise ProtocolError(Code.PROTOCOL_ERROR, "the client does not speak HTTP/2")
        if len(data) < len(frames.PREFACE):
            return 0
        start = len(frames.PREFACE)
    head = data[start : start + frames.HEAD_BYTES]
    wrong = head[:1] not in (b"", b"\0") or head[3:4] not in (b"", b"\4")
    if wrong or head[4:5] not in (b"", b"\0"):
        raise ProtocolError(Code.PROTOCOL_ERROR, "the peer does not speak HTTP/2")
    return start


def theirs(payload: bytes) -> dict[int, int]:
    """What a peer's SETTINGS hold, by parameter: of one given twice the last counts (§6.5.3).
    payload: whole parameters. Raises ProtocolError."""
    values = dict(_setting(payload))
    for key, value in values.items():
        if key == Setting.INITIAL_WINDOW_SIZE:
            if value > frames.WINDOW_MAX:
                raise ProtocolError(Code.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        elif key == Setting.MAX_FRAME_SIZE:
            if not frames.FRAME_BYTES_DEFAULT <= value < 1 << 24:
                raise ProtocolError(Code.PROTOCOL_ERROR, f"frames of {value} bytes")
        elif key == Setting.ENABLE_PUSH and value > 1:
            raise ProtocolError(Code.PROTOCOL_ERROR, f"ENABLE_PUSH is {value}")
    return values
