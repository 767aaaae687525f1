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
from hpack.table import HeaderTable

REMEMBERED_MAX = 64
"""Blocks remembered a connection; when there are more, all are forgotten."""
REMEMBERED_BYTES_MAX = 4 << 10
"""Of a block that is remembered."""
LIST_BYTES_MAX = 32 << 10
"""Fields of one message, names and values and 32 a field (RFC 9113 §6.5.2)."""

_RESIZE, _RESIZE_MASK = 0x20, 0xE0  # a block that begins with a new size of the table (§6.3)

Field = tuple[bytes, bytes]


class FieldsError(Exception):
    """A header block that cannot be read; the connection's table is lost with it."""


class Block:
    """What one header block says. meaning: for the reader's use, kept with the block."""

    __slots__ = ("fields", "meaning")

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.meaning: Any = None


class _Table(HeaderTable):
    """Counts what is added: a block that adds anything must be read each time."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        """A literal with indexing (§6.2.1), also one too large to be kept: it empties the table."""
        self.changes += 1
        super().add(name, value)


class Decoder:
    """The fields a peer sends on one connection."""

    def __init__(self) -> None:
        self._decoder = TableDecoder(max_header_list_size=LIST_BYTES_MAX)
        self._table = _Table()
        self._decoder.header_table = self._table
        self._known: dict[bytes, Block] = {}

    def decode(self, data: bytes) -> Block:
        """The block's fields, in order. Raises FieldsError."""
        block = self._known.get(data)
        if block is not None:
            return block
        changes = self._table.changes
        try:
            headers = self._decoder.decode(data, raw=True)
        except OversizedHeaderListError:
            raise FieldsError(f"header fields of more than {LIST_BYTES_MAX} bytes") from None
        except HPACKError as error:
            raise FieldsError(f"unreadable header fields: {type(error).__name__}") from None
        block = Block(tuple((bytes(name), bytes(value)) for name, value in headers))
        resized = data[:1] and data[0] & _RESIZE_MASK == _RESIZE
        if resized or self._table.changes != changes:
            self._known.clear()  # an index means another field from here on
        elif len(data) <= REMEMBERED_BYTES_MAX:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[data] = block
        return block


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
