"""The bytes of a log entry: a group of commands, versioned, and the checksum that chains entries.

Engines encode what they propose and decode what they replay. An unknown version or malformed
data raises RecordError: the member must halt, for it cannot know what the others do. The form
(integers little-endian): version u8, commands u32, then each command: kind u8 and its body.
Pure module.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from zlib import crc32

from holdfast.control.store import columns
from holdfast.control.store.commands import (
    Check,
    Commit,
    Compact,
    Compare,
    Key,
    Outcome,
    Refusal,
    Result,
)

VERSION = 2
Command = Commit | Compact | Check

_COMMIT, _COMPACT, _CHECK = 1, 2, 3
_HEAD = struct.Struct("<BI")
_COMMIT_HEAD = struct.Struct("<B?qBII")  # kind, atomic, term, bytes of id, writes, compares
_FLOOR = struct.Struct("<Bq")
_STATE = struct.Struct("<Bqqq")  # kind, index, revision, checksum
_COMPARE = struct.Struct("<qHHH")  # expect, bytes of resource, of namespace, of name
_CHAIN = struct.Struct("<IQQB")
_RESULT = struct.Struct("<qI")
_OUTCOME = struct.Struct("<qqB")
_REFUSALS = (None, *Refusal)  # the number of a refusal is its place: only ever append to Refusal
_NUMBERS = {refusal: number for number, refusal in enumerate(_REFUSALS)}


class RecordError(Exception):
    """The bytes are not what this version writes."""


def chain(before: int, index: int, term: int, data: bytes, kind: int = 0) -> int:
    """The checksum of an entry, over the checksum of the one before it.

    kind: the entry's type in the log, 0 = a normal one.
    """
    return crc32(data, crc32(_CHAIN.pack(before, index, term, kind)))


def encode(commands: Sequence[Command]) -> bytes:
    """One log entry's data."""
    parts = [_HEAD.pack(VERSION, len(commands))]
    for command in commands:
        if isinstance(command, Compact):
            parts.append(_FLOOR.pack(_COMPACT, command.floor))
        elif isinstance(command, Check):
            parts.append(_STATE.pack(_CHECK, *command))
        else:
            _encode_commit(parts, command)
    return b"".join(parts)


def _encode_commit(parts: list[bytes], commit: Commit) -> None:
    head = (_COMMIT, commit.atomic, commit.term, len(commit.id))
    parts += (_COMMIT_HEAD.pack(*head, len(commit.writes), len(commit.compares)), commit.id)
    columns.encode(parts, commit.writes)
    for (resource, namespace, name), expect in commit.compares:
        one, two, three = resource.encode(), namespace.encode(), name.encode()
        parts += (_COMPARE.pack(expect, len(one), len(two), len(three)), one, two, three)


def decode(data: bytes) -> list[Command]:
    """The commands of one log entry. Raises RecordError."""
    try:
        reader = _Reader(data)
        version, count = reader.take(_HEAD)
        if version != VERSION:
            raise RecordError(f"is of version {version}, this program knows {VERSION}")
        commands = [_decode(reader) for _ in range(count)]
    except (struct.error, UnicodeDecodeError) as error:
        raise RecordError("is malformed") from error
    if reader.at != len(data):
        raise RecordError("has bytes after its end")
    return commands


def _decode(reader: _Reader) -> Command:
    kind = reader.raw[reader.at] if reader.at < len(reader.raw) else 0
    if kind == _COMPACT:
        return Compact(reader.take(_FLOOR)[1])
    if kind == _CHECK:
        return Check(*reader.take(_STATE)[1:])
    if kind != _COMMIT:
        raise RecordError(f"has a command of unknown kind {kind}")
    _, atomic, term, id_bytes, writes, compares = reader.take(_COMMIT_HEAD)
    commit_id = reader.bytes(id_bytes)
    found, reader.at = columns.decode(reader.raw, reader.at, writes)
    return Commit(
        commit_id,
        found,
        [_decode_compare(reader) for _ in range(compares)],
        bool(atomic),
        term,
    )


def _decode_compare(reader: _Reader) -> Compare:
    expect, *lengths = reader.take(_COMPARE)
    return Compare(reader.key(lengths), expect)


def encode_result(result: Result) -> bytes:
    """A result as the table of ids keeps it."""
    parts = [_RESULT.pack(result.revision, len(result.outcomes))]
    for revision, refusal, current in result.outcomes:
        parts.append(_OUTCOME.pack(revision, current, _NUMBERS[refusal]))
    return b"".join(parts)


def decode_result(data: bytes) -> Result:
    """The result that `encode_result` wrote. Raises RecordError."""
    try:
        reader = _Reader(data)
        revision, count = reader.take(_RESULT)
        outcomes = []
        for _ in range(count):
            own, current, number = reader.take(_OUTCOME)
            outcomes.append(Outcome(own, _REFUSALS[number], current))
    except (struct.error, IndexError) as error:
        raise RecordError("is malformed") from error
    return Result(tuple(outcomes), revision)


class _Reader:
    """A place in the bytes of an entry. Reading past the end raises struct.error."""

    __slots__ = ("at", "raw")

    def __init__(self, data: bytes) -> None:
        self.raw, self.at = data, 0

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        values = form.unpack_from(self.raw, self.at)
        self.at += form.size
        return values

    def bytes(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or end > len(self.raw):
            raise struct.error("past the end")
        found, self.at = self.raw[self.at : end], end
        return found

    def key(self, lengths: Sequence[int]) -> Key:
        return Key(*(self.bytes(length).decode() for length in lengths))
