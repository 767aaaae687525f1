"""Header fields as they come: in one frame or several, padded, behind a priority (RFC 9113 §4.3).

Pure module. A block is put together and decoded before anybody asks what its stream is: the
tables of HPACK are the connection's, so every block counts, also one of a stream that is refused.
"""

from __future__ import annotations

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.events import HeadersReceived, ProtocolError
from holdfast.api.transport.http2.fields import LIST_BYTES_MAX, Decoder, FieldsError
from holdfast.api.transport.http2.frames import Code


class Blocks:
    """The blocks of one connection. unfinished: one that goes on in the next frame, None = none."""

    def __init__(self) -> None:
        self.unfinished: tuple[int, int, bytearray] | None = None  # stream, flags, what is there
        self._decoder = Decoder()

    def headers(self, flags: int, stream: int, payload: bytes) -> HeadersReceived | None:
        """A HEADERS frame; the fields when it has them all. Raises ProtocolError."""
        if flags & frames.PADDED:
            payload = unpadded(payload)
        if flags & frames.WITH_PRIORITY:
            if len(payload) < 5:
                raise ProtocolError(Code.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
            payload = payload[5:]
        if stream == 0 or len(payload) > LIST_BYTES_MAX:
            raise ProtocolError(Code.PROTOCOL_ERROR, f"{len(payload)} bytes of header fields")
        if flags & frames.END_HEADERS:
            return self._whole(stream, flags, payload)
        self.unfinished = (stream, flags, bytearray(payload))
        return None

    def continuation(self, flags: int, stream: int, payload: bytes) -> HeadersReceived | None:
        """A CONTINUATION frame; the fields when it is the last. Raises ProtocolError."""
        if self.unfinished is None or self.unfinished[0] != stream:
            raise ProtocolError(Code.PROTOCOL_ERROR, "header fields go on that never began")
        _, first_flags, block = self.unfinished
        block += payload
        if len(block) > LIST_BYTES_MAX:
            raise ProtocolError(Code.ENHANCE_YOUR_CALM, "too many header fields")
        if not flags & frames.END_HEADERS:
            return None
        self.unfinished = None
        return self._whole(stream, first_flags, bytes(block))

    def _whole(self, stream: int, flags: int, data: bytes) -> HeadersReceived:
        try:
            block = self._decoder.decode(data)
        except FieldsError as error:
            raise ProtocolError(Code.COMPRESSION_ERROR, str(error)) from None
        return HeadersReceived(stream, block, bool(flags & frames.END_STREAM))


def unpadded(payload: bytes) -> bytes:
    """A payload without its padding (§6.1). Raises ProtocolError."""
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(Code.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]
