"""What is wrong with the bytes of a message that protobuf refused: the path of the first flaw.

Pure module; only reached on an error. Reads the wire format (protobuf's encoding guide) along the
descriptor: tags, varints, lengths.
"""

from __future__ import annotations

from typing import Any

DEPTH_MAX = 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _TornError(Exception):
    """The bytes end within a field, or a tag makes no sense."""


def find(descriptor: Any, data: bytes) -> str:
    """The first flaw as a clause ('metadata.name: invalid UTF-8'); "" when there is none."""
    try:
        return _walk(descriptor, memoryview(data), "", 0)
    except _TornError as error:
        return str(error)


def _walk(descriptor: Any, data: memoryview, path: str, depth: int) -> str:
    fields = descriptor.fields_by_number
    where = path or descriptor.name
    if depth > DEPTH_MAX:
        return f"{where}: nested deeper than {DEPTH_MAX} levels"
    at = 0
    while at < len(data):
        tag, at = _varint(data, at, where)
        content, at = _content(data, at, tag & 7, where)
        field = fields.get(tag >> 3)
        if field is None:
            return f"{where}: unknown field number {tag >> 3}"
        if content is None:
            continue
        below = f"{path}.{field.name}" if path else str(field.name)
        flaw = ""
        if field.type == field.TYPE_STRING:
            flaw = _text_flaw(content, below)
        elif field.type == field.TYPE_MESSAGE:
            flaw = _walk(field.message_type, content, below, depth + 1)
        if flaw:
            return flaw
    return ""


def _text_flaw(content: memoryview, path: str) -> str:
    try:
        bytes(content).decode()
    except UnicodeDecodeError as error:
        return f"{path}: invalid UTF-8 at byte {error.start}"
    return ""


def _content(
    data: memoryview, at: int, wire_type: int, where: str
) -> tuple[memoryview | None, int]:
    """The bytes of a length-delimited field (None for the other types), and where it ends."""
    if wire_type == _VARINT:
        return None, _varint(data, at, where)[1]
    if wire_type == _BYTES:
        length, at = _varint(data, at, where)
        end = at + length
        if end > len(data):
            raise _TornError(f"{where}: the bytes end within a field")
        return data[at:end], end
    size = {_FIXED64: 8, _FIXED32: 4}.get(wire_type)
    if size is None or at + size > len(data):
        raise _TornError(f"{where}: the bytes are not a protobuf message")
    return None, at + size


def _varint(data: memoryview, at: int, where: str) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _TornError(f"{where}: the bytes are not a protobuf message")
