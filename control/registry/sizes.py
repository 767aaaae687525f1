"""How large an object may be. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.api.varints import read_varint

OBJECT_BYTES_MAX = 1_572_864
"""1.5 MiB, etcd's and so Kubernetes' own bound."""


def serialized(message: Any, kind: Kind, rest: bytes = b"") -> bytes:
    """The bytes to store: equal objects have equal bytes. rest: the bytes of the fields behind
    those that the message has.

    Raises ApiError RequestEntityTooLarge.
    """
    data: bytes = message.SerializeToString(deterministic=True) + rest
    if len(data) > OBJECT_BYTES_MAX:
        name = message.metadata.name
        text = (
            f'{kind.kind} "{name}" is too large: {len(data):,} bytes, '
            f"at most {OBJECT_BYTES_MAX:,} (1.5 MiB)"
        )
        raise ApiError(Reason.TOO_LARGE, text, kind.kind, name)
    return data


def first_field_bytes(data: bytes) -> int:
    """How long the first field of a message is, with its tag and length: the metadata of a stored
    object."""
    length, at = read_varint(data, 1)
    return at + length
