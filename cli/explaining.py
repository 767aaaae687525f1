"""What `explain` says of a kind or field, read off the descriptors of the schema.

Names and types, which fields are required, how a strategic merge treats a list, which values or
fields are refused because they are not built. Pure module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor

from holdfast.api import kinds
from holdfast.api.codec.fields import Field, Many, json_fields
from holdfast.api.codec.forms import FORMS
from holdfast.api.errors import ApiError, Reason
from holdfast.api.kinds import Kind
from holdfast.api.objects import built

PACKAGE = "holdfast.api."
INDENT = "  "
_SPECIAL = {
    "Quantity": "quantity",
    "IntOrString": "integer or string",
    "Time": "time",
    "MicroTime": "time",
    "Duration": "duration",
}
_OWN = ("apiVersion", "kind")


class Line(NamedTuple):
    """One field of a listing."""

    depth: int
    name: str
    type: str
    notes: tuple[str, ...]


def page(path: str, *, recursive: bool) -> list[str]:
    """The page of "pods", "deployments.apps", "pods.spec.containers". recursive: all below.

    Raises ApiError NotFound naming the part of the path that is not there.
    """
    kind, names = _split(path)
    descriptor: Any = kind.message.DESCRIPTOR
    message: Descriptor | None = descriptor
    field: Field | None = None
    for position, name in enumerate(names):
        field = _field(message, name, kind, names[:position])
        message = field.message if _is_object(field) else None
    head = [f"KIND:     {kind.kind}", f"VERSION:  {kind.api_version}"]
    if not kind.built:
        head.append("          (known, but not built yet: it is refused)")
    if field is not None:
        head += ["", f"FIELD:    {field.json} <{type_of(field)}>"]
        head += [f"          {note}" for note in _notes(field)]
    if message is None:
        return head
    own = [] if names else [Line(0, name, "string", ("required",)) for name in _OWN]
    lines = [*own, *_listing(message, recursive, 0, ())]
    return [*head, "", "FIELDS:", *_texts(lines, align=not recursive)]


def type_of(field: Field) -> str:
    """ "string", "[]Container", "map[string]quantity"."""
    name = str(field.form)
    if field.message is not None:
        name = _SPECIAL.get(field.message.name, field.message.name)
        if field.message.full_name in FORMS and field.message.name not in _SPECIAL:
            name = "any"
    if field.many is Many.LIST:
        return f"[]{name}"
    return f"map[string]{name}" if field.many is Many.MAP else name


def _split(path: str) -> tuple[Kind, list[str]]:
    """The kind and the field names. "deployments.apps.spec" begins with the longest word that is
    a kind."""
    parts = path.strip(".").split(".")
    for count in range(len(parts), 0, -1):
        try:
            return kinds.by_word(".".join(parts[:count])), parts[count:]
        except ApiError:
            if count == 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _field(message: Descriptor | None, name: str, kind: Kind, before: list[str]) -> Field:
    where = ".".join((kind.plural, *before))
    if message is None:
        raise ApiError(Reason.NOT_FOUND, f'{where} has no fields below it, so no "{name}"')
    fields = json_fields(message)
    if name in fields:
        return fields[name]
    close = difflib.get_close_matches(name, fields, n=1)
    hint = f', did you mean "{close[0]}"?' if close else ""
    raise ApiError(Reason.NOT_FOUND, f'{where} has no field "{name}"{hint}')


def _is_object(field: Field) -> bool:
    return field.message is not None and field.message.full_name not in FORMS


def _listing(
    message: Descriptor, recursive: bool, depth: int, above: tuple[str, ...]
) -> Iterator[Line]:
    """The fields in order; a type inside itself (a JSON schema) is not opened again."""
    for field in json_fields(message).values():
        yield Line(depth, field.json, type_of(field), tuple(_notes(field)))
        inner = field.message
        if recursive and inner is not None and _is_object(field) and inner.full_name not in above:
            yield from _listing(inner, recursive, depth + 1, (*above, inner.full_name))


def _notes(field: Field) -> Iterator[str]:
    owner = field.descriptor.containing_type
    assert owner is not None, "a field of a message"
    short = owner.full_name.removeprefix(PACKAGE)
    if field.always and not field.inline:
        yield "required"
    if "merge" in field.patch_strategy.split(","):
        yield f"merged by {field.patch_key}" if field.patch_key else "merged as a set"
    values = built.VALUES.get(f"{short}.{field.name}")
    if values:
        yield "one of " + ", ".join(map(str, values))
    elif short in built.BUILT and field.name not in built.BUILT[short].split():
        yield "not built yet: refused"


def _texts(lines: list[Line], *, align: bool) -> list[str]:
    """Names with their indent, types, notes; types in one column unless names nest deep."""
    names = [INDENT * (line.depth + 1) + line.name for line in lines]
    wide = max(map(len, names), default=0) if align else 0
    return [
        f"{name:<{wide}}  <{line.type}>{''.join(f'  ({note})' for note in line.notes)}"
        for name, line in zip(names, lines, strict=True)
    ]
