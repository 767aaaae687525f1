"""Read a container's log from disk: the end of it, since a time, and what comes.

A log is a chain of files: the rotated ones (`0.log.3` the oldest), then `0.log`. A follower keeps
its file open, so a rename loses nothing; at the end of a file that is not `0.log` any more it goes
on with the file of that name.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from holdfast.node.streams.logformat import Line, parse, seconds

BLOCK_BYTES = 64 << 10
FOLLOW_S = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. since: Unix seconds, 0.0 = everything; tail, limit_bytes None = all."""

    tail: int | None = None
    since: float = 0.0
    timestamps: bool = False
    limit_bytes: int | None = None
    follow: bool = False


def chain(path: Path) -> list[Path]:
    """The files of a log that are there, oldest first."""
    numbered = []
    for found in path.parent.glob(f"{path.name}.*"):
        number = found.name.removeprefix(path.name + ".")
        if number.isdigit():
            numbered.append((int(number), found))
    old = [found for _, found in sorted(numbered, reverse=True)]
    return [*old, path] if path.exists() else old


def tail_offset(file: BinaryIO, lines: int) -> tuple[int, int]:
    """Where the last `lines` records of a file begin, and how many there are from there on."""
    position = end = file.seek(0, os.SEEK_END)
    if lines <= 0 or end == 0:
        return end, 0
    newlines: list[int] = []
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        index = block.rfind(b"\n")
        while index >= 0:
            # A newline that ends the file begins no record.
            if position + index + 1 < end:
                newlines.append(position + index + 1)
                if len(newlines) == lines:
                    return newlines[-1], lines
            index = block.rfind(b"\n", 0, index)
    return 0, len(newlines) + 1


class Reader:
    """One reading of one log. over: whether its container writes no more."""

    def __init__(self, path: Path, wanted: Wanted, over: Callable[[], bool]) -> None:
        self._path = path
        self._wanted = wanted
        self._over = over
        self._left = wanted.limit_bytes
        self._rest = b""

    async def pieces(self) -> AsyncIterator[bytes]:
        """What to send, in pieces of about BLOCK_BYTES. Raises FileNotFoundError, OSError."""
        files = await asyncio.to_thread(self._open)
        try:
            while files:
                last = len(files) == 1
                async for piece in self._read(files[0], follow=last and self._wanted.follow):
                    yield piece
                    if self._left == 0:
                        return
                files.pop(0).close()
        finally:
            for file in files:
                file.close()

    def _open(self) -> list[BinaryIO]:
        """The files to read, each at the place to begin."""
        paths = chain(self._path)
        if not paths:
            raise FileNotFoundError(self._path)
        files: list[BinaryIO] = []
        missing = self._wanted.tail
        for path in reversed(paths):
            file = path.open("rb")
            files.insert(0, file)
            if missing is not None:
                offset, found = tail_offset(file, missing)
                file.seek(offset)
                missing -= found
                if missing <= 0:
                    break
        return files

    async def _read(self, file: BinaryIO, *, follow: bool) -> AsyncIterator[bytes]:
        current = file
        try:
            while True:
                over = self._over()
                block = await asyncio.to_thread(current.read, BLOCK_BYTES)
                if block:
                    text = b"".join(self._shown(self._records(block)))
                    if text:
                        yield self._bounded(text)
                    if self._left == 0:
                        return
                elif not follow:
                    return
                elif self._replaced(current):
                    following = self._path.open("rb")
                    if current is not file:
                        current.close()
                    current = following
                elif over:
                    return
                else:
                    await asyncio.sleep(FOLLOW_S)
        finally:
            if current is not file:
                current.close()

    def _replaced(self, file: BinaryIO) -> bool:
        """Whether another file has the log's name now."""
        try:
            return os.fstat(file.fileno()).st_ino != self._path.stat().st_ino
        except FileNotFoundError:
            return False

    def _records(self, block: bytes) -> Iterator[Line]:
        *records, self._rest = (self._rest + block).split(b"\n")
        for record in records:
            line = parse(record)
            if line is not None:
                yield line

    def _shown(self, lines: Iterator[Line]) -> Iterator[bytes]:
        since = self._wanted.since
        for line in lines:
            if since and seconds(line.stamp) < since:
                continue
            yield line.stamp + b" " + line.text if self._wanted.timestamps else line.text

    def _bounded(self, text: bytes) -> bytes:
        if self._left is None:
            return text
        text = text[: self._left]
        self._left -= len(text)
        return text
