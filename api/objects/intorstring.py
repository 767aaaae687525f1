"""IntOrString: a number, a percentage or a name, and what it comes to. Pure module.

On the wire `type` 0 is a number (intVal), 1 a text (strVal). Source: apimachinery util/intstr.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.api.meta.v1 import meta_pb2 as meta

_PERCENT = re.compile(r"[0-9]{1,9}%")


def is_text(value: meta.IntOrString) -> bool:
    """Whether it holds a text."""
    return value.type == 1


def text(value: meta.IntOrString) -> str:
    """As people wrote it."""
    return value.strVal if value.type == 1 else str(value.intVal)


def set_text(value: meta.IntOrString, written: str) -> None:
    """Write a text ("25%", "http") into a message."""
    value.Clear()
    value.type, value.strVal = 1, written


def set_number(value: meta.IntOrString, number: int) -> None:
    """Write a number into a message, in normal form: type 0 and a 0 are not written."""
    value.Clear()
    value.SetInParent()
    if number:
        value.intVal = number


def percent(value: meta.IntOrString) -> int | None:
    """The whole percent, None when it is not written as one."""
    if value.type == 1 and _PERCENT.fullmatch(value.strVal):
        return int(value.strVal[:-1])
    return None


def resolve(value: meta.IntOrString, total: int, *, round_up: bool) -> int:
    """The number itself, or the percentage of `total`, rounded up (maxSurge) or down
    (maxUnavailable). A text that is no percentage counts as 0: validation refuses it."""
    if value.type != 1:
        return value.intVal
    share = (percent(value) or 0) * total
    return -(-share // 100) if round_up else share // 100
