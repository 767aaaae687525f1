"""Whole objects: a tree that names its apiVersion and kind, and the message it means.

Pure module.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from holdfast.api import kinds
from holdfast.api.codec.decode import from_json
from holdfast.api.codec.faults import refusal
from holdfast.api.codec.forms import word
from holdfast.api.errors import ApiError, Reason


def decode_object(tree: Any) -> tuple[kinds.Kind, Message]:
    """The kind and the message of one object as a manifest or a request body says it.

    Raises ApiError BadRequest: not an object, no apiVersion or kind, none that we know, unknown
    fields, values of the wrong type; each with the field's path.
    """
    if not isinstance(tree, dict):
        raise ApiError(Reason.BAD_REQUEST, f"expected an object, got {word(tree)}")
    for field in ("apiVersion", "kind"):
        if not isinstance(tree.get(field), str) or not tree[field]:
            raise ApiError(Reason.BAD_REQUEST, f"the object's {field} is not set")
    kind = kinds.by_kind(tree["apiVersion"], tree["kind"])
    message, causes = from_json(kind.message, tree)
    if causes:
        raise refusal(causes, kind.kind, _name(tree))
    return kind, message


def _name(tree: dict[str, Any]) -> str:
    metadata = tree.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
