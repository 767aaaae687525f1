"""Header fields as bytes: HPACK (RFC 7541). Pure module.

`encode` writes every field as a literal outside the dynamic table, so that equal fields are equal
bytes on every connection and may be kept by the caller. `Decoder` remembers what the blocks of a
connection meant while its table stays as it is: gRPC peers send the same block call after call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpack import Decoder as TableDecoder
from hpack import HPACKError, OversizedHeaderListError

REMEMBERED_MAX = 64
"""Blocks remembered a connection, of at most LIST_BYTES_MAX each."""
LIST_BYTES_MAX = 32 << 10
"""Fields of one message, names and values and 32 a field (RFC 9113 §6.5.2)."""

Field = tuple[bytes, bytes]


class FieldsError(Exception):
    """A header block that cannot be read; the connection's table is lost with it."""


class Block:
    """What one header block says. meaning: for the reader's use, kept with the block."""

    __slots__ = ("fields", "meaning")

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.meaning: Any = None


class Decoder:
    """The fields a peer sends on one connection."""

    def __init__(self) -> None:
        self._decoder = TableDecoder(max_header_list_size=LIST_BYTES_MAX)
        self._known: dict[bytes, Block] = {}

    def decode(self, data: bytes) -> Block:
        """The block's fields, in order. Raises FieldsError."""
        block = self._known.get(data)
        if block is not None:
            return block
        table = self._decoder.header_table
        size, newest = len(table.dynamic_entries), _newest(table.dynamic_entries)
        try:
            headers = self._decoder.decode(data, raw=True)
        except OversizedHeaderListError:
            raise FieldsError(f"header fields of more than {LIST_BYTES_MAX} bytes") from None
        except HPACKError as error:
            raise FieldsError(f"unreadable header fields: {error}") from None
        block = Block(tuple((bytes(name), bytes(value)) for name, value in headers))
        if len(table.dynamic_entries) != size or _newest(table.dynamic_entries) is not newest:
            self._known.clear()  # an index means another field from here on
        elif len(self._known) < REMEMBERED_MAX:
            self._known[data] = block
        return block


def _newest(entries: Any) -> object:
    return entries[0] if entries else None


def encode(fields: Iterable[Field]) -> bytes:
    """A block of literals without indexing (§6.2.2), names in lower case."""
    out = bytearray()
    for name, value in fields:
        out.append(0)
        _string(out, name)
        _string(out, value)
    return bytes(out)


def _string(out: bytearray, text: bytes) -> None:
    """A string literal without Huffman coding: its length as a 7-bit-prefix integer (§5.1)."""
    size = len(text)
    if size < 127:
        out.append(size)
    else:
        out.append(127)
        size -= 127
        while size >= 128:
            out.append(size & 127 | 128)
            size >>= 7
        out.append(size)
    out += text
