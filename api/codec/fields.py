"""What the codec needs to know of each field, read once off the message's descriptor.

The field rules (holdfast/api/meta/v1/rules.proto) say what number and type cannot: which fields
stand inline, which are left out when empty, where presence means something. The encoder, the
decoder, the normal form and the patches read them here and nowhere else.

Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from holdfast.api.meta.v1 import rules_pb2

ALWAYS = rules_pb2.Empty.ALWAYS
OMIT_ZERO = rules_pb2.Empty.OMIT_ZERO


class Form(StrEnum):
    """How one value looks in JSON; the text is JSON's word for it in messages to people."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    BYTES = "base64 string"
    MESSAGE = "object"


class Many(StrEnum):
    """How many values a field holds."""

    ONE = "one"
    LIST = "array"
    MAP = "object"


_FORMS = {
    FieldDescriptor.TYPE_STRING: Form.STRING,
    FieldDescriptor.TYPE_BOOL: Form.BOOLEAN,
    FieldDescriptor.TYPE_INT32: Form.INTEGER,
    FieldDescriptor.TYPE_INT64: Form.INTEGER,
    FieldDescriptor.TYPE_BYTES: Form.BYTES,
    FieldDescriptor.TYPE_MESSAGE: Form.MESSAGE,
}
# Objects inside a template have no apiVersion and kind of their own; every other object has.
_TEMPLATES = ("TemplateSpec", "ClaimTemplate")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    form and message are those of one element (of a map: of its values). pointer: presence means
    something. always: JSON has it even when empty; omit_zero: JSON leaves an empty message out.
    patch_strategy and patch_key: how a strategic merge treats it.
    """

    descriptor: FieldDescriptor
    name: str
    json: str
    form: Form
    many: Many
    message: Descriptor | None
    inline: bool
    pointer: bool
    always: bool
    omit_zero: bool
    patch_strategy: str
    patch_key: str


@cache  # one entry a message type of the schema
def fields_of(descriptor: Descriptor) -> tuple[Field, ...]:
    """The fields of a message type, in the order of their declaration."""
    return tuple(_field(field) for field in descriptor.fields)


@cache
def json_fields(descriptor: Descriptor) -> dict[str, Field]:
    """The fields as JSON sees them: by JSON name, those of inline messages beside the rest."""
    found: dict[str, Field] = {}
    for field in fields_of(descriptor):
        if field.inline and field.message is not None:
            found.update(json_fields(field.message))
        else:
            found[field.json] = field
    return found


@cache
def has_type(descriptor: Descriptor) -> bool:
    """Whether JSON objects of this type may carry apiVersion and kind: it is an object or list."""
    metadata = descriptor.fields_by_name.get("metadata")
    return (
        metadata is not None
        and metadata.message_type is not None
        and metadata.message_type.name in ("ObjectMeta", "ListMeta")
        and not descriptor.name.endswith(_TEMPLATES)
    )


def _field(field: FieldDescriptor) -> Field:
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    element, many = field, Many.LIST if field.is_repeated else Many.ONE
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        element, many = field.message_type.fields_by_name["value"], Many.MAP
    return Field(
        descriptor=field,
        name=field.name,
        json=field.json_name,
        form=_FORMS[element.type],
        many=many,
        message=element.message_type,
        inline=rules.inline,
        pointer=rules.pointer,
        always=rules.empty == ALWAYS,
        omit_zero=rules.empty == OMIT_ZERO,
        patch_strategy=rules.patch_strategy,
        patch_key=rules.patch_key,
    )
