"""Reading a backup file: its header, its objects frame by frame, and proof that it is whole.

`read` gives what the file holds as it goes; nothing of it may be trusted for good before the
iteration has ended, because only the end proves that the file is whole. Whoever acts on it keeps
what was done apart until then. `summarize` reads all of it and gives the figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from google.protobuf.message import DecodeError

from holdfast.api.backup.format import (
    DIGEST_BYTES,
    FORMAT_VERSION,
    FRAME_BYTES_MAX,
    HEAD,
    MAGIC,
    VERSION,
    Kind,
    checksum,
)
from holdfast.api.backup.v1.backup_pb2 import End, Header, Objects


class DamagedError(Exception):
    """What is wrong with the file, as the rest of a sentence that begins with its name."""


class Summary(NamedTuple):
    """The figures of a whole and undamaged backup.

    header: without the authority, which is secret. counts: objects by resource, in order.
    sha256: of the whole file, as `sha256sum` prints it.
    """

    header: Header
    counts: dict[str, int]
    bytes: int
    sha256: str

    @property
    def objects(self) -> int:
        """All objects, the control node's own rows ("~…") too."""
        return sum(self.counts.values())


_MESSAGES: dict[int, Any] = {Kind.HEADER: Header, Kind.OBJECTS: Objects, Kind.END: End}


class Reader:
    """One pass over a file that is at its start. bytes and sha256 are good at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes = 0
        self._file = file
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what was read, hexadecimal: of the whole file at its end."""
        return self._digest.hexdigest()

    def header(self) -> Header:
        """The first frame; call it once, before `frames`. Raises DamagedError."""
        start = self._file.read(len(MAGIC) + VERSION.size)
        if not start:
            raise DamagedError("is empty")
        if not start.startswith(MAGIC):
            raise DamagedError("is not a Holdfast backup")
        self._took(start)
        if len(start) < len(MAGIC) + VERSION.size:
            raise self._cut_off()
        (version,) = VERSION.unpack(start[len(MAGIC) :])
        if version != FORMAT_VERSION:
            raise DamagedError(
                f"is a backup of format version {version}, this program knows {FORMAT_VERSION}: "
                "use the program that wrote it"
            )
        kind, message = self._frame()
        if kind != Kind.HEADER:
            raise DamagedError("is damaged: it does not begin with its header")
        header: Header = message
        return header

    def frames(self) -> Iterator[Objects]:
        """The objects, resource by resource; then the file is proven whole.

        Raises DamagedError.
        """
        count = 0
        while True:
            at = self.bytes
            kind, message = self._frame()
            if kind == Kind.END:
                break
            if kind != Kind.OBJECTS:
                raise DamagedError(f"is damaged: a second header at byte {at}")
            count += len(message.objects)
            yield message
        if message.objects != count:
            raise DamagedError(f"is damaged: it has {count} objects and says {message.objects}")
        self._finish()

    def _finish(self) -> None:
        stored = self._file.read(DIGEST_BYTES)
        self.bytes += len(stored)
        if len(stored) < DIGEST_BYTES:
            raise self._cut_off()
        if stored != self._digest.digest():
            raise DamagedError("is damaged: its SHA-256 is not the one at its end")
        self._digest.update(stored)
        if self._file.read(1):
            raise DamagedError(f"is damaged: something follows its end at byte {self.bytes}")

    def _frame(self) -> tuple[int, Any]:
        at = self.bytes
        head = self._take(HEAD.size)
        kind, length, crc = HEAD.unpack(head)
        if kind not in _MESSAGES or length > FRAME_BYTES_MAX:
            raise DamagedError(f"is damaged at byte {at}: no frame begins there")
        body = self._take(length)
        if checksum(kind, body) != crc:
            raise DamagedError(f"is damaged: the frame at byte {at} fails its checksum")
        try:
            return kind, _MESSAGES[kind].FromString(body)
        except DecodeError:
            raise DamagedError(f"is malformed: the frame at byte {at} cannot be read") from None

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        self._took(data)
        if len(data) < count:
            raise self._cut_off()
        return data

    def _took(self, data: bytes) -> None:
        self.bytes += len(data)
        self._digest.update(data)

    def _cut_off(self) -> DamagedError:
        return DamagedError(f"is cut off after {self.bytes} bytes: its end is missing")


def summarize(file: BinaryIO) -> Summary:
    """Read a whole file and prove it. Raises DamagedError."""
    reader = Reader(file)
    header = reader.header()
    header.ClearField("authority")
    counts: dict[str, int] = {}
    for frame in reader.frames():
        counts[frame.resource] = counts.get(frame.resource, 0) + len(frame.objects)
    return Summary(header, counts, reader.bytes, reader.sha256)
