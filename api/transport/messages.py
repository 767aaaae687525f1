"""gRPC's messages on a stream of bytes: five bytes before each, a flag and a length.

Pure module. (gRPC over HTTP/2, "Length-Prefixed-Message".)
"""

from __future__ import annotations

import struct

HEAD_BYTES = 5
_head = struct.Struct(">BL")


class MessageError(Exception):
    """The peer's bytes are no messages we take. code: the name of the gRPC status."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def framed(data: bytes) -> bytes:
    """A message with its head, not compressed."""
    return _head.pack(0, len(data)) + data


class Splitter:
    """The messages in what comes on one stream."""

    __slots__ = ("_bytes_max", "_needed", "_part")

    def __init__(self, bytes_max: int) -> None:
        """bytes_max: of one message."""
        self._bytes_max = bytes_max
        # Of an unfinished message: one buffer, for however small the pieces are it must not take
        # more memory than what came.
        self._part = bytearray()
        self._needed = 0

    @property
    def held(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._part)

    def split(self, data: bytes) -> list[bytes]:
        """The messages that are complete with this data. Raises MessageError."""
        if self._part:
            self._part += data
            if len(self._part) < self._needed:
                return []
            data = bytes(self._part)
            self._part = bytearray()
        messages = []
        start, end = 0, len(data)
        self._needed = HEAD_BYTES
        while end - start >= HEAD_BYTES:
            compressed, size = _head.unpack_from(data, start)
            if compressed or size > self._bytes_max:
                self._refuse(compressed, size)
            after = start + HEAD_BYTES + size
            if after > end:
                self._needed = HEAD_BYTES + size
                break
            messages.append(data[start + HEAD_BYTES : after])
            start = after
        if start < end:
            self._part += data[start:] if start else data
        return messages

    def _refuse(self, compressed: int, size: int) -> None:
        if compressed:
            raise MessageError("UNIMPLEMENTED", "compressed messages are not taken")
        text = f"Received message larger than max ({size} vs. {self._bytes_max})"
        raise MessageError("RESOURCE_EXHAUSTED", text)
