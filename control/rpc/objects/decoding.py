"""Objects as clients send them: bytes of a kind's own message, checked at the door, and brought
into normal form.

Pure module. What protobuf itself lets through or refuses without a name is named here: invalid
UTF-8, a field that the schema does not have, bytes that are no message at all.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from holdfast.api import codec
from holdfast.api.errors import ApiError, Reason
from holdfast.control.rpc.objects import flaws


def decode(message_type: type[Any], data: bytes) -> Any:
    """The message. Raises ApiError BadRequest naming the field that is wrong.

    A field that the schema lacks is refused rather than stored and ignored.
    """
    try:
        message = message_type.FromString(data)
    except DecodeError:
        raise _malformed(message_type, data, "its bytes are no message of that kind") from None
    message.DiscardUnknownFields()
    # Known fields take the length they came with, unless their writer encoded them another way.
    if message.ByteSize() != len(data) and _has_unknown(message_type, data):
        raise _malformed(message_type, data, "a field that the schema lacks")
    codec.normalize(message, data)
    return message


def _malformed(message_type: type[Any], data: bytes, otherwise: str) -> ApiError:
    """otherwise: what to say when the flaw cannot be found."""
    kind = message_type.DESCRIPTOR.name
    found = flaws.find(message_type.DESCRIPTOR, data) or otherwise
    return ApiError(Reason.BAD_REQUEST, f"the {kind} sent is malformed: {found}", kind)


def _has_unknown(message_type: type[Any], data: bytes) -> bool:
    """Whether a message has fields, anywhere in it, that the schema lacks."""
    message = message_type.FromString(data)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return bool(message.ByteSize() != size)
