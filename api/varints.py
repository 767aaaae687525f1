"""Numbers as protobuf writes them in front of bytes, for those who join and cut messages.

See the protobuf encoding's base 128 varints. Pure module.
"""

from __future__ import annotations


def varint(number: int) -> bytes:
    """A number of 0 or more as a varint."""
    if number <= 0x7F:
        return bytes((number,))
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint that begins at a place of valid bytes, and where the next thing begins."""
    byte = data[at]
    at += 1
    if byte < 128:
        return byte, at
    value, shift = byte & 127, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
