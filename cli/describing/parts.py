"""What every page is made of: metadata, times, conditions, events. Pure module."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from holdfast.api.kinds import cells
from holdfast.api.objects import owners
from holdfast.cli.describing.layout import NONE, Fields, Grid, pairs
from holdfast.cli.input.merging import LAST_APPLIED

VALUE_SHOWN_MAX = 140


def time(value: Any) -> str:
    """A moment: "Sat, 21 Nov 2026 13:40:20 +0000"; "<unset>" when there is none."""
    if not value.seconds:
        return "<unset>"
    return datetime.fromtimestamp(value.seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S %z")


def head(message: Any) -> Fields:
    """Name and namespace."""
    fields: Fields = [("Name", message.metadata.name)]
    if message.metadata.namespace:
        fields.append(("Namespace", message.metadata.namespace))
    return fields


def marks(message: Any) -> Fields:
    """Labels and annotations; what apply remembers is left out, a long value is cut."""
    annotations = [
        (key, value if len(value) <= VALUE_SHOWN_MAX else value[:VALUE_SHOWN_MAX] + "…")
        for key, value in message.metadata.annotations.items()
        if key != LAST_APPLIED
    ]
    return [
        ("Labels", pairs(message.metadata.labels.items())),
        ("Annotations", [f"{key}: {value}" for key, value in sorted(annotations)]),
    ]


def controlled_by(message: Any) -> Fields:
    """Its controller, when it has one."""
    owner = owners.controller_of(message.metadata)
    return [("Controlled By", f"{owner.kind}/{owner.name}")] if owner is not None else []


def flag(value: bool) -> str:
    """True or False."""
    return "True" if value else "False"


def quantities(values: Any) -> Fields:
    """A resource list: cpu, memory…"""
    return [(name, value.string) for name, value in sorted(values.items())]


def conditions(found: Iterable[Any]) -> Grid:
    """Conditions with the reason and the sentence of each."""
    rows = [[c.type, c.status, c.reason or "", c.message or ""] for c in found]
    return Grid(("Type", "Status", "Reason", "Message"), rows)


def events(found: Iterable[Any], now: float) -> Grid:
    """The events of an object, oldest first."""
    rows = [[e.type, e.reason, _age(e, now), _source(e), e.message.strip()] for e in found]
    return Grid(("Type", "Reason", "Age", "From", "Message"), rows)


def _age(event: Any, now: float) -> str:
    """ "3m", or "10s (x4 over 3m)" of one that came again."""
    last = event.lastTimestamp if event.lastTimestamp.seconds else event.eventTime
    first = event.firstTimestamp if event.firstTimestamp.seconds else event.eventTime
    if event.count > 1:
        return f"{cells.age(last, now)} (x{event.count} over {cells.age(first, now)})"
    return cells.age(last, now)


def _source(event: Any) -> str:
    return event.source.component or event.reportingComponent or NONE
