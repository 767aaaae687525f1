"""What a strategic merge needs of a field: is its list merged, by which key, what is below it.

Read off the field rules of the message types (patch_strategy and patch_key), so there is no
second table. Below a map, a quantity or raw JSON there is no schema: plain merging.

Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from holdfast.api.codec.fields import Field, Many, json_fields
from holdfast.api.codec.forms import FORMS
from holdfast.api.errors import ApiError, Reason

PATCH = "$patch"  # beside a value: "replace", "delete" or "merge" it
RETAIN_KEYS = "$retainKeys"  # the only keys an object may keep
SET_ORDER = "$setElementOrder/"  # + a list's name: the order its elements get
DELETE_ITEMS = "$deleteFromPrimitiveList/"  # + a list's name: the scalars it loses


@dataclass(frozen=True, slots=True)
class Schema:
    """How the value of one field is merged.

    merges: a list is merged, not replaced; key: by which field of its elements ("" for scalars).
    replaces: an object is replaced, not merged. retains: only the keys a patch names are kept.
    """

    merges: bool = False
    key: str = ""
    replaces: bool = False
    retains: bool = False
    message: Descriptor | None = None

    def of(self, name: str) -> Schema:
        """The schema of a field of this object (or of an element of this list)."""
        return FREE if self.message is None else _fields(self.message).get(name, FREE)


FREE = Schema()


def schema_of(message_type: type[Message]) -> Schema:
    """The schema of whole objects of a type."""
    descriptor: Any = message_type.DESCRIPTOR
    return Schema(message=descriptor)


@cache  # one table a message type of the schema
def _fields(descriptor: Descriptor) -> Mapping[str, Schema]:
    return {name: _schema(field) for name, field in json_fields(descriptor).items()}


def _schema(field: Field) -> Schema:
    strategies = field.patch_strategy.split(",")
    is_object = field.message is not None and field.message.full_name not in FORMS
    return Schema(
        merges="merge" in strategies,
        key=field.patch_key,
        replaces="replace" in strategies,
        retains="retainKeys" in strategies,
        message=field.message if is_object and field.many is not Many.MAP else None,
    )


def refused(path: str, why: str) -> ApiError:
    """A patch that cannot be applied, and where in it."""
    where = f"{path}: " if path else ""
    return ApiError(Reason.BAD_REQUEST, f"the patch cannot be applied: {where}{why}")


def below(path: str, name: str) -> str:
    """The path of a field of the object at `path`."""
    return f"{path}.{name}" if path else name
