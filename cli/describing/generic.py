"""The page of any other kind: its JSON as labels and values. Pure module."""

from __future__ import annotations

import json
import re
from typing import Any

from holdfast.api import codec
from holdfast.cli.describing import parts
from holdfast.cli.describing.layout import Block, Fields, Value
from holdfast.cli.describing.related import Related

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHOWN_ABOVE = ("metadata", "apiVersion", "kind")


def page(message: Any, related: Related, now: float) -> Fields:
    """Metadata, then every field."""
    tree = codec.to_json(message)
    return [
        *parts.head(message),
        *parts.marks(message),
        ("CreationTimestamp", parts.time(message.metadata.creationTimestamp)),
        *((_label(k), _value(v)) for k, v in tree.items() if k not in _SHOWN_ABOVE),
        ("Events", parts.events(related.events, now)),
    ]


def _label(key: str) -> str:
    """ "leaseDurationSeconds" as "Lease Duration Seconds"."""
    words = _WORDS.sub(" ", key)
    return words[:1].upper() + words[1:]


def _value(value: Any) -> Value:
    if isinstance(value, dict):
        return Block([(_label(key), _value(item)) for key, item in value.items()])
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return Block([(str(number), _value(item)) for number, item in enumerate(value)])
        return [str(item) for item in value]
    return value if isinstance(value, str) else json.dumps(value)
