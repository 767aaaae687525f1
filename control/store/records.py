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

from holdfast.control.store.batches import columns
from holdfast.control.store.commands import (
    Check,
    Commit,
    Compact,
    Compare,
    Key,
    Outcome,
    Refusal,
    Result,
    Write,
)

VERSION = 2
Command = Commit | Compact | Check

_COMMIT, _COMPACT, _CHECK, _BATCH = 1, 2, 3, 4
_HEAD = struct.Struct("<BI")
_COMMIT_HEAD = struct.Struct("<B?qBII")  # kind, atomic, term, bytes of id, writes, compares
_FLOOR = struct.Struct("<Bq")
_STATE = struct.Struct("<Bqqq")  # kind, index, revision, checksum
_WRITE = struct.Struct("<qiHHH")  # expect, bytes of value (-1 = delete), of resource … name
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
    many = len(commit.writes) >= columns.FEWEST
    head = (_BATCH if many else _COMMIT, commit.atomic, commit.term, len(commit.id))
    parts += (_COMMIT_HEAD.pack(*head, len(commit.writes), len(commit.compares)), commit.id)
    (columns.encode if many else _encode_writes)(parts, commit.writes)
    for (resource, namespace, name), expect in commit.compares:
        one, two, three = resource.encode(), namespace.encode(), name.encode()
        parts += (_COMPARE.pack(expect, len(one), len(two), len(three)), one, two, three)


def _encode_writes(parts: list[bytes], writes: Sequence[Write]) -> None:
    append, pack = parts.append, _WRITE.pack
    for (resource, namespace, name), value, expect in writes:
        one, two, three = resource.encode(), namespace.encode(), name.encode()
        length = -1 if value is None else len(value)
        append(pack(expect, length, len(one), len(two), len(three)))
        append(one + two + three)
        if value:
            append(value)


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
    if kind not in (_COMMIT, _BATCH):
        raise RecordError(f"has a command of unknown kind {kind}")
    _, atomic, term, id_bytes, writes, compares = reader.take(_COMMIT_HEAD)
    commit_id = reader.bytes(id_bytes)
    take = columns.decode if kind == _BATCH else _decode_writes
    found, reader.at = take(reader.raw, reader.at, writes)
    return Commit(
        commit_id,
        found,
        [_decode_compare(reader) for _ in range(compares)],
        bool(atomic),
        term,
    )


def _decode_writes(raw: bytes, at: int, count: int) -> tuple[Sequence[Write], int]:
    """So many writes that begin at a place, and where they end."""
    unpack, size, new = _WRITE.unpack_from, _WRITE.size, tuple.__new__
    writes: list[Write] = []
    for _ in range(count):
        expect, length, one, two, three = unpack(raw, at)
        two_at = at + size + one
        name_at = two_at + two
        places = raw[at + size : two_at].decode(), raw[two_at:name_at].decode()
        at = name_at + three
        key = new(Key, (*places, raw[name_at:at].decode()))
        value = None
        if length >= 0:
            value = raw[at : at + length]
            at += length
        if at > len(raw):
            raise struct.error("past the end")
        writes.append(new(Write, (key, value, expect)))
    return writes, at


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
