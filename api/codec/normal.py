"""The normal form: equal objects have equal deterministic bytes.

Go's protobuf encoders write every field that is not a pointer, "" and 0 and empty messages too;
JSON clients leave them out. `normalize`, called once at the door, clears them, so that template
hashes and "did it change?" may compare bytes.

Most messages have nothing to clear, and that is found out without touching their fields: in
protobuf's wire form an empty value is a zero byte, so only where the serialized bytes hold one
is it asked whether it belongs to a pointer. A message that does need clearing is walked whole.

Pure module.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from holdfast.api.codec.fields import Field, Form, Many, fields_of
from holdfast.api.codec.forms import ZERO_QUANTITY
from holdfast.api.varints import read_varint

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class Rule(NamedTuple):
    """What the normal form does with a field: clear it when empty, look into its message."""

    clears: bool
    message: Descriptor | None


KEEP = Rule(False, None)


def normalize(message: Message, data: bytes | None = None) -> None:
    """Clear, in place, the empty fields that Kubernetes' JSON regards as absent.

    Kept: present pointers whatever they hold, elements of lists, entries of maps. Quantities
    stay as they are written (JSON makes them canonical when it comes in). data: the bytes that
    the message was read from, which spares their making.
    """
    if data is None:
        data = message.SerializeToString()
    may = 0 in data and _holds_empties(data, 0, len(data), _tags(message.DESCRIPTOR))
    if may or ZERO_QUANTITY in data:
        _clear(message)


def _holds_empties(data: bytes, at: int, end: int, tags: dict[int, Rule]) -> bool:
    """Whether a field to clear stands in data[at:end], the valid bytes of one message."""
    zero = data.find(0, at, end)
    while zero >= 0:
        # Pass over the fields before the zero byte; `tag` is the field that holds it.
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = read_varint(data, at - 1)
        start, stop = _extent(data, at, tag & 7)
        if stop > zero:
            clears, message = tags.get(tag, KEEP)
            if clears and stop - at == 1:
                return True
            if message is not None and _holds_empties(data, start, stop, _tags(message)):
                return True
            zero = data.find(0, stop, end)
        at = stop
    return False


def _extent(data: bytes, at: int, wire: int) -> tuple[int, int]:
    """Where the value of a field begins behind its length, and where the next field begins."""
    if wire == LENGTH:
        length = data[at]
        if length < 128:
            return at + 1, at + 1 + length
        length, at = read_varint(data, at)
        return at, at + length
    if wire == VARINT:
        stop = at
        while data[stop] > 127:
            stop += 1
        return at, stop + 1
    # Groups, which only unknown fields can be, have no extent: what stands in them follows.
    return at, at + {FIXED64: 8, FIXED32: 4}.get(wire, 0)


@cache  # one table a message type of the schema
def _tags(descriptor: Descriptor) -> dict[int, Rule]:
    """The rules by the tag that stands before a field's value in the bytes."""
    found: dict[int, Rule] = {}
    for field, rule in _rules(descriptor).items():
        length = rule.message is not None or field.type in (
            FieldDescriptor.TYPE_STRING,
            FieldDescriptor.TYPE_BYTES,
        )
        found[field.number << 3 | (LENGTH if length else VARINT)] = rule
    return found


@cache  # one table a message type of the schema
def _rules(descriptor: Descriptor) -> dict[FieldDescriptor, Rule]:
    """The rules of the fields that have any."""
    rules = {field.descriptor: _rule(descriptor, field) for field in fields_of(descriptor)}
    return {field: rule for field, rule in rules.items() if rule is not KEEP}


def _rule(owner: Descriptor, field: Field) -> Rule:
    if field.many is Many.MAP or (owner.name in _TIMES and field.name == "seconds"):
        return KEEP
    clears = field.many is Many.ONE and not field.pointer
    if field.form is Form.MESSAGE:
        return Rule(clears, field.message)
    return Rule(True, None) if clears else KEEP


# A second 0 that is present is the year 1970; an absent one is no time at all.
_TIMES = ("Time", "MicroTime")


def _clear(message: Any) -> None:
    """Clear the empty fields of a message and of all below it."""
    rules = _rules(message.DESCRIPTOR)
    for field, value in message.ListFields():
        clears, inner = rules.get(field, KEEP)
        if inner is None:
            if clears and not value:
                message.ClearField(field.name)
        elif field.is_repeated:
            for item in value:
                _clear(item)
        else:
            _clear(value)
            if clears and _is_empty(value, inner):
                message.ClearField(field.name)


def _is_empty(message: Message, descriptor: Descriptor) -> bool:
    data = message.SerializeToString()
    return not data or (descriptor.name == "Quantity" and data == ZERO_QUANTITY)
