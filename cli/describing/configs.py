"""The pages of config maps, secrets (sizes only), namespaces and events. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.cli.describing import parts
from holdfast.cli.describing.layout import Block, Fields, block
from holdfast.cli.describing.related import Related


def config_map(found: Any, related: Related, now: float) -> Fields:
    """A ConfigMap with its texts; binary data by size."""
    texts = [(key, value.splitlines()) for key, value in sorted(found.data.items())]
    return [
        *parts.head(found),
        *parts.marks(found),
        ("Data", Block(list(texts))),
        ("BinaryData", _sizes(found.binaryData)),
        ("Events", parts.events(related.events, now)),
    ]


def secret(found: Any, related: Related, now: float) -> Fields:
    """A Secret: keys and sizes, never a value."""
    return [
        *parts.head(found),
        *parts.marks(found),
        ("Type", found.type),
        ("Data", _sizes(found.data)),
        ("Events", parts.events(related.events, now)),
    ]


def _sizes(data: Any) -> Block:
    return block((key, f"{len(value)} bytes") for key, value in sorted(data.items()))


def namespace(found: Any, related: Related, now: float) -> Fields:
    """A Namespace and whether it is ending."""
    return [
        *parts.head(found),
        *parts.marks(found),
        ("Status", found.status.phase),
        ("Conditions", parts.conditions(found.status.conditions)),
        ("Events", parts.events(related.events, now)),
    ]


def event(found: Any, _related: Related, _now: float) -> Fields:
    """An Event."""
    about = found.involvedObject
    where = f"{about.namespace}/" if about.namespace else ""
    return [
        *parts.head(found),
        ("Type", found.type),
        ("Reason", found.reason),
        ("Message", found.message),
        ("Involved Object", f"{about.kind} {where}{about.name}"),
        ("Count", str(found.count or 1)),
        ("First Seen", parts.time(found.firstTimestamp)),
        ("Last Seen", parts.time(found.lastTimestamp)),
        ("From", " ".join(filter(None, (found.source.component, found.source.host)))),
    ]
