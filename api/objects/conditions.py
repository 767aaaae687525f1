"""Conditions: finding one in a status, and writing one so that its time means something.

Works on every list of condition messages (pods, nodes, deployments, namespaces…): what they share
is type, status, reason, message and lastTransitionTime. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def condition(conditions: Iterable[Any], kind: str) -> Any:
    """The condition of this type, None when there is none."""
    for found in conditions:
        if found.type == kind:
            return found
    return None


def is_true(conditions: Iterable[Any], kind: str) -> bool:
    """Whether the condition is there and its status is "True"."""
    found = condition(conditions, kind)
    return found is not None and found.status == "True"


def set_condition(
    conditions: Any, kind: str, status: str, now: float, reason: str = "", message: str = ""
) -> bool:
    """Add or change one condition in a repeated field; returns whether anything changed.

    status: "True", "False" or "Unknown". now: Unix seconds. lastTransitionTime moves only when
    the status does; lastUpdateTime, where the message has it, with every change. Nothing is
    touched when all is as asked.
    """
    found = condition(conditions, kind)
    if found is None:
        found = conditions.add(type=kind)
    elif (found.status, found.reason, found.message) == (status, reason, message):
        return False
    if found.status != status:
        found.status = status
        found.lastTransitionTime.seconds = int(now)
    _write(found, "reason", reason)
    _write(found, "message", message)
    if "lastUpdateTime" in found.DESCRIPTOR.fields_by_name:
        found.lastUpdateTime.seconds = int(now)
    return True


def _write(message: Any, field: str, text: str) -> None:
    """An empty text is left out, so that equal conditions have equal bytes."""
    if text:
        setattr(message, field, text)
    else:
        message.ClearField(field)
