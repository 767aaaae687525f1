"""Numbers as protobuf writes them in front of bytes, for those who join messages themselves.

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
