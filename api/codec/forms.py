"""The message types that JSON does not write as objects: Quantity, Time, IntOrString…

One row a type in FORMS: how its JSON is written and read. The encoder and the decoder look a
message type up here before they treat it as an object.

Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from holdfast.api import quantity
from holdfast.api.codec import times
from holdfast.api.meta.v1 import meta_pb2 as meta

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
STRING = 1  # IntOrString.type; 0 is a number
# Quantity{string: "0"}: what Go writes for a quantity that nobody set.
ZERO_QUANTITY = b"\x0a\x010"

WORDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


class WrongTypeError(ValueError):
    """The JSON value has another type than the field; the message says which."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {word(value)}")


def word(value: object) -> str:
    """JSON's word for the type of a value."""
    return WORDS.get(type(value), type(value).__name__)


@dataclass(frozen=True, slots=True)
class SpecialForm:
    """How one message type stands in JSON.

    write: message → JSON value. read: fills an empty message from a JSON value that is not
    null; raises WrongTypeError, or ValueError with a sentence, and then leaves it undefined.
    """

    write: Callable[[Any], Any]
    read: Callable[[Any, Any], None]


def _text(value: object) -> str:
    if type(value) is not str:
        raise WrongTypeError("string", value)
    return value


def _write_quantity(message: meta.Quantity) -> str:
    return message.string or "0"


def _read_quantity(message: meta.Quantity, value: object) -> None:
    if type(value) is str:
        message.string = quantity.canonical(value.strip())
    elif type(value) in (int, float):
        message.string = quantity.canonical(repr(value))
    else:
        raise WrongTypeError("quantity", value)


def _write_time(message: meta.Time) -> str | None:
    seconds = message.seconds
    if seconds == times.ZERO_S or not (seconds or message.HasField("seconds")):
        return None
    return times.time_text(seconds)


def _read_time(message: meta.Time, value: object) -> None:
    seconds, _ = times.parse_time(_text(value))
    if seconds != times.ZERO_S:
        message.seconds = seconds


def _write_micro_time(message: meta.MicroTime) -> str | None:
    seconds = message.seconds
    if seconds == times.ZERO_S or not (seconds or message.HasField("seconds")):
        return None
    return times.micro_time_text(seconds, message.nanos)


def _read_micro_time(message: meta.MicroTime, value: object) -> None:
    seconds, nanos = times.parse_time(_text(value))
    if seconds != times.ZERO_S:
        message.seconds = seconds
        if nanos >= 1000:
            message.nanos = nanos // 1000 * 1000


def _write_duration(message: meta.Duration) -> str:
    return times.duration_text(message.duration)


def _read_duration(message: meta.Duration, value: object) -> None:
    nanoseconds = times.parse_duration(_text(value))
    if nanoseconds:
        message.duration = nanoseconds


def _write_int_or_string(message: meta.IntOrString) -> int | str:
    return message.strVal if message.type == STRING else message.intVal


def _read_int_or_string(message: meta.IntOrString, value: object) -> None:
    if type(value) is str:
        message.type = STRING
        if value:
            message.strVal = value
    elif type(value) is int:
        if not INT32_MIN <= value <= INT32_MAX:
            raise ValueError(f"{value} is out of range for a 32-bit integer")
        if value:
            message.intVal = value
    else:
        raise WrongTypeError("integer or string", value)


def _write_raw(message: meta.RawExtension) -> Any:
    return orjson.loads(message.raw) if message.raw else None


def _read_raw(message: meta.RawExtension, value: object) -> None:
    message.raw = _json(value)


def _write_fields(message: meta.FieldsV1) -> Any:
    return orjson.loads(message.Raw) if message.Raw else None


def _read_fields(message: meta.FieldsV1, value: object) -> None:
    if type(value) is not dict:
        raise WrongTypeError("object", value)
    message.Raw = _json(value)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"cannot be kept as JSON: {error}") from None


def _write_items(message: Any) -> list[str] | None:
    return list(message.items) or None


def _read_items(message: Any, value: object) -> None:
    if type(value) is not list:
        raise WrongTypeError("array", value)
    for item in value:
        message.items.append(_text(item))


_ITEMS = SpecialForm(_write_items, _read_items)
FORMS: Mapping[str, SpecialForm] = {
    "holdfast.api.meta.v1.Quantity": SpecialForm(_write_quantity, _read_quantity),
    "holdfast.api.meta.v1.Time": SpecialForm(_write_time, _read_time),
    "holdfast.api.meta.v1.MicroTime": SpecialForm(_write_micro_time, _read_micro_time),
    "holdfast.api.meta.v1.Duration": SpecialForm(_write_duration, _read_duration),
    "holdfast.api.meta.v1.IntOrString": SpecialForm(_write_int_or_string, _read_int_or_string),
    "holdfast.api.meta.v1.RawExtension": SpecialForm(_write_raw, _read_raw),
    "holdfast.api.meta.v1.FieldsV1": SpecialForm(_write_fields, _read_fields),
    "holdfast.api.meta.v1.Verbs": _ITEMS,
    "holdfast.api.authentication.v1.ExtraValue": _ITEMS,
    "holdfast.api.authorization.v1.ExtraValue": _ITEMS,
    "holdfast.api.certificates.v1.ExtraValue": _ITEMS,
}
