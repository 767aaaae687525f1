"""Where two messages differ, as a JSON path. Pure module.

Used to name the field when something immutable was changed. Fields that JSON writes inside their
parent (`inline`) add nothing to the path.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from holdfast.api.meta.v1 import rules_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor


def first(old: Any, new: Any, path: str) -> str:
    """The path of the first field that differs, "" when the messages are equal."""
    for name, at, kind in _fields(old.DESCRIPTOR):
        before, after = getattr(old, name), getattr(new, name)
        if kind in ("message", "scalar") and old.HasField(name) != new.HasField(name):
            return _join(path, at)
        if before == after:
            continue
        if kind == "message":
            return first(before, after, _join(path, at))
        if kind == "list" and len(before) == len(after):
            return _first_item(before, after, _join(path, at))
        if kind == "map":
            return _first_key(before, after, _join(path, at))
        return _join(path, at)
    return ""


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path and field else path or field


def _first_item(before: Any, after: Any, path: str) -> str:
    for index, (left, right) in enumerate(zip(before, after, strict=True)):
        if left != right:
            at = f"{path}[{index}]"
            return first(left, right, at) if hasattr(left, "DESCRIPTOR") else at
    return path


def _first_key(before: Any, after: Any, path: str) -> str:
    for key in sorted({*before, *after}):
        if (key in before) != (key in after) or before.get(key) != after.get(key):
            return f"{path}[{key}]"
    return path


@cache
def _fields(descriptor: Descriptor) -> list[tuple[str, str, str]]:
    """Name, name in JSON ("" when inline) and kind of every field of a message type."""
    return [(field.name, json_name(field), _kind(field)) for field in descriptor.fields]


def json_name(field: FieldDescriptor) -> str:
    """The field's step in a JSON path, "" when its fields stand in the parent's JSON."""
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    return "" if rules.inline else field.json_name


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    entry = field.message_type
    return entry is not None and entry.GetOptions().map_entry


def _kind(field: FieldDescriptor) -> str:
    if is_map(field):
        return "map"
    if field.is_repeated:
        return "list"
    return "scalar" if field.message_type is None else "message"
