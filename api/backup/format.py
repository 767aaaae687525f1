"""The bytes of a backup file, made piece by piece, so that nobody holds a whole one.

    MAGIC                              8 bytes
    version                            u16, FORMAT_VERSION
    frames                             HEADER, OBJECTS…, END
    SHA-256 of everything before it    32 bytes, the last of the file

A frame is its kind (u8), the length of its body (u32), a CRC-32 over kind, length and body, and
the body: the message of that kind (proto/holdfast/api/backup/v1/backup.proto). Integers are
little-endian. The CRC says where a file is damaged, the SHA-256 that it is whole and in order.
The magic is no text, so a copy "converted" as text is found out at its first line. Pure module.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from zlib import crc32

from google.protobuf.message import Message

from holdfast.api.backup.v1.backup_pb2 import End, Header, Object, Objects

MAGIC = b"\x89HFBK\r\n\x1a"
FORMAT_VERSION = 1
VERSION = struct.Struct("<H")
HEAD = struct.Struct("<BII")  # kind, bytes of the body, crc
DIGEST_BYTES = 32

FRAME_BYTES = 256 << 10
"""Objects of one frame, about: the next one starts when this is reached."""
FRAME_BYTES_MAX = 16 << 20
"""A body that says it is longer is damaged: an object is at most 1.5 MiB."""


class Kind(IntEnum):
    """The kinds of frames, in the order they come in."""

    HEADER = 1
    OBJECTS = 2
    END = 3


def checksum(kind: int, body: bytes) -> int:
    """The CRC of a frame."""
    return crc32(body, crc32(struct.pack("<BI", kind, len(body))))


class Encoder:
    """One backup being made: `begin`, `objects` as often as needed, `end`; each gives the next
    bytes of the file."""

    def __init__(self) -> None:
        self.count = 0  # objects so far
        self._digest = hashlib.sha256()

    def begin(self, header: Header) -> bytes:
        """The first bytes."""
        start = MAGIC + VERSION.pack(FORMAT_VERSION)
        self._digest.update(start)
        return start + self._frame(Kind.HEADER, header)

    def objects(self, resource: str, found: Sequence[Object]) -> Iterator[bytes]:
        """Frames of so many objects of one resource, each about FRAME_BYTES long."""
        frame, total = Objects(resource=resource), 0
        for one in found:
            frame.objects.append(one)
            total += len(one.value)
            if total >= FRAME_BYTES:
                yield self._frame(Kind.OBJECTS, frame)
                frame, total = Objects(resource=resource), 0
        if frame.objects:
            yield self._frame(Kind.OBJECTS, frame)
        self.count += len(found)

    def end(self) -> bytes:
        """The last bytes."""
        frame = self._frame(Kind.END, End(objects=self.count))
        return frame + self._digest.digest()

    def _frame(self, kind: Kind, message: Message) -> bytes:
        body = message.SerializeToString()
        frame = HEAD.pack(kind, len(body), checksum(kind, body)) + body
        self._digest.update(frame)
        return frame
