"""Objects as clients send them: bytes of a kind's own message, checked at the door.

Pure module. What protobuf itself lets through or refuses without a name is named here: invalid
UTF-8, a field that the schema does not have, bytes that are no message at all.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from holdfast.api.errors import ApiError, Reason
from holdfast.control.rpc.objects import flaws


def decode(message_type: type[Any], data: bytes) -> Any:
    """The message. Raises ApiError BadRequest naming the field that is wrong.

    A field that the schema lacks is refused rather than stored and ignored.
    """
    kind = message_type.DESCRIPTOR.name
    try:
        message = message_type.FromString(data)
    except DecodeError:
        found = flaws.find(message_type.DESCRIPTOR, data) or "its bytes are no message of that kind"
        raise ApiError(Reason.BAD_REQUEST, f"the {kind} sent is malformed: {found}", kind) from None
    message.DiscardUnknownFields()
    # Known fields take the length they came with, unless their writer encoded them another way.
    if message.ByteSize() != len(data) and _has_unknown(message_type, data):
        found = flaws.find(message_type.DESCRIPTOR, data) or "a field that the schema lacks"
        raise ApiError(Reason.BAD_REQUEST, f"the {kind} sent is malformed: {found}", kind)
    return message


def _has_unknown(message_type: type[Any], data: bytes) -> bool:
    """Whether a message has fields, anywhere in it, that the schema lacks."""
    message = message_type.FromString(data)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return bool(message.ByteSize() != size)
