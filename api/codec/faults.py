"""What is wrong with a tree that should be a message: each fault with its path.

The decoder records faults here as it goes on, so that one answer names all of them; it keeps
places as links to their parents, and only a fault turns them into text. Pure module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeAlias, cast

from holdfast.api.codec.forms import WrongTypeError, word
from holdfast.api.errors import ApiError, Cause, CauseReason, Reason

CAUSES_MAX = 50  # of one tree; the rest is not recorded
SHOWN_MAX = 100  # characters of one name in a path

# Where a value stands: its parent's place, and its name, "[key]" or index there.
Place: TypeAlias = "tuple[Place | None, str | int]"


def is_unknown(cause: Cause) -> bool:
    """Whether a cause of `from_json` is a field that the schema does not have."""
    return cause.reason is CauseReason.INVALID and cause.message.startswith("unknown field ")


def refusal(causes: list[Cause], kind: str = "", name: str = "") -> ApiError:
    """BadRequest from the causes of `from_json` (at least one); kind and name say of what."""
    whose = f'{kind} "{name}" cannot be read: ' if name else f"{kind} cannot be read: "
    text = "; ".join(map(str, causes))
    message = (whose if kind else "") + text
    return ApiError(Reason.BAD_REQUEST, message, kind, name, tuple(causes))


def value_fault(error: ValueError, value: object, place: Place, causes: list[Cause]) -> None:
    """Record why a value was refused, by our readers or by the protobuf library."""
    if isinstance(error, WrongTypeError):
        _record(CauseReason.TYPE_INVALID, place, str(error), causes)
    else:
        text = why_refused(value) if isinstance(error, UnicodeEncodeError) else str(error)
        wrong_value(text, place, causes)


def why_refused(value: object) -> str:
    """Why the protobuf library refuses a value of the right type."""
    if type(value) is int:
        return f"{value} is out of range"
    return "holds half of a surrogate pair, which is no text"


def wrong_type(expected: str, value: object, place: Place | None, causes: list[Cause]) -> None:
    """Record a value of another JSON type than the field's."""
    text = f"expected {expected}, got {word(value)}"
    _record(CauseReason.TYPE_INVALID, place, text, causes)


def wrong_value(text: str, place: Place, causes: list[Cause]) -> None:
    """Record a value of the right type that is refused all the same."""
    _record(CauseReason.INVALID, place, text, causes)


def unknown(known: Iterable[str], key: object, place: Place | None, causes: list[Cause]) -> None:
    """Record a field that is none of the known ones, with the one that was probably meant."""
    if (place is None and key in ("apiVersion", "kind")) or len(causes) >= CAUSES_MAX:
        return
    here = (place, str(key))
    close = difflib.get_close_matches(str(key)[:64], known, n=1, cutoff=0.7)
    hint = f', did you mean "{close[0]}"?' if close else ""
    wrong_value(f'unknown field "{path_of(here)}"{hint}', here, causes)


def _record(reason: CauseReason, place: Place | None, text: str, causes: list[Cause]) -> None:
    if len(causes) < CAUSES_MAX:
        causes.append(Cause(reason, path_of(place), text))


def path_of(place: Place | None) -> str:
    """A place as people write it: spec.containers[0].image, metadata.labels[app]."""
    parts: list[str] = []
    while place is not None:
        place, name = cast("tuple[Any, str | int]", place)
        if isinstance(name, int):
            parts.append(f"[{name}]")
            continue
        # A message must be text, even about a name that is none.
        text = name[:SHOWN_MAX].encode(errors="backslashreplace").decode()
        parts.append(text if text.startswith("[") or not place else f".{text}")
    return "".join(reversed(parts))
