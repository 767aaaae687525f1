"""How values are written in a table's cells: ages, absent values, lists. Pure module.

The forms are kubectl's (apimachinery util/duration HumanDuration, kubectl printers), because
people and scripts read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.meta.v1 import meta_pb2 as meta

NONE = "<none>"
UNKNOWN = "<unknown>"

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
# Up to which age (s) which form is used: the unit, then the finer unit that is added (0 = none).
_FORMS = (
    (2 * _MINUTE, 1, 0),
    (10 * _MINUTE, _MINUTE, 1),
    (3 * _HOUR, _MINUTE, 0),
    (8 * _HOUR, _HOUR, _MINUTE),
    (2 * _DAY, _HOUR, 0),
    (8 * _DAY, _DAY, _HOUR),
    (2 * _YEAR, _DAY, 0),
    (8 * _YEAR, _YEAR, _DAY),
)
_LETTERS = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", _YEAR: "y"}


def duration(seconds: float) -> str:
    """A length of time in at most two units: "59s", "3m20s", "5h", "2d3h", "3y"."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    for limit, unit, finer in _FORMS:
        if whole < limit:
            text = f"{whole // unit}{_LETTERS[unit]}"
            rest = whole % unit // finer if finer else 0
            return f"{text}{rest}{_LETTERS[finer]}" if rest else text
    return f"{whole // _YEAR}y"


def age(time: meta.Time | meta.MicroTime, now: float) -> str:
    """How long ago a time was; "<unknown>" when it is not set."""
    return duration(now - time.seconds) if time.seconds else UNKNOWN


def joined(texts: Iterable[str], shown_max: int = 0) -> str:
    """Comma-separated, "<none>" when empty; beyond shown_max (0 = no limit) " + N more..."."""
    found = list(texts)
    if not found:
        return NONE
    if shown_max and len(found) > shown_max:
        return ",".join(found[:shown_max]) + f" + {len(found) - shown_max} more..."
    return ",".join(found)


def labels(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels as k=v, sorted by key."""
    return joined(f"{key}={value}" for key, value in sorted(pairs))


_OPERATORS = {"In": "in", "NotIn": "notin"}


def selector(value: meta.LabelSelector) -> str:
    """A label selector in its text form: "app=web,tier in (a,b),!old"."""
    terms = [f"{key}={text}" for key, text in sorted(value.matchLabels.items())]
    for term in value.matchExpressions:
        if term.operator in _OPERATORS:
            terms.append(
                f"{term.key} {_OPERATORS[term.operator]} ({','.join(sorted(term.values))})"
            )
        else:
            terms.append(f"!{term.key}" if term.operator == "DoesNotExist" else term.key)
    return joined(terms)


def containers(spec: core.PodSpec) -> str:
    """The names of a pod template's containers."""
    return joined(container.name for container in spec.containers)


def images(spec: core.PodSpec) -> str:
    """The images of a pod template's containers."""
    return joined(container.image for container in spec.containers)
