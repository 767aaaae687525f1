"""Field selectors: "status.phase=Running,spec.nodeName!=", over the fields a kind offers.

Which fields those are, and how each is read off an object, stands in the table of kinds.
Source: fields.ParseSelector of apimachinery's pkg/fields. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from holdfast.api.errors import ApiError, Reason

LENGTH_MAX = 16384  # characters of one selector


class Selectable(Protocol):
    """What is read off a kind: its name, and getters by field label."""

    @property
    def kind(self) -> str:
        """The kind's name, for messages."""

    @property
    def selectable(self) -> Mapping[str, Callable[[Any], str]]:
        """Field label → its value in an object, as text."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. getter reads the field off an object."""

    label: str
    value: str
    equal: bool
    getter: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold; none means everything."""

    terms: tuple[Term, ...] = ()

    def matches(self, message: Any) -> bool:
        """Whether the object is selected."""
        return all((term.getter(message) == term.value) is term.equal for term in self.terms)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.terms

    @property
    def required(self) -> dict[str, str]:
        """Label → value of the equality terms, for finding objects by index."""
        return {term.label: term.value for term in self.terms if term.equal}

    def __str__(self) -> str:
        return ",".join(
            f"{term.label}{'=' if term.equal else '!='}{_escape(term.value)}" for term in self.terms
        )


def parse_fields(text: str, kind: Selectable) -> FieldSelector:
    """The selector that `text` says of objects of `kind`; empty text selects everything.

    Terms are label=value, label==value or label!=value between commas; a backslash keeps the
    next comma, equals sign or backslash in the value. Raises ApiError BadRequest for other text
    and for a field that the kind does not offer.
    """
    if len(text) > LENGTH_MAX:
        raise ApiError(Reason.BAD_REQUEST, f"a field selector ends at {LENGTH_MAX} characters")
    return FieldSelector(tuple(_term(part, kind) for part in _split(text) if part))


def _term(part: str, kind: Selectable) -> Term:
    label, mark, value = part.partition("=")
    if not mark:
        raise ApiError(Reason.BAD_REQUEST, f'field selector term "{part}" has no =, == or !=')
    equal = not label.endswith("!")
    label = label.removesuffix("!").strip()
    value = _unescape(value.removeprefix("="), part)
    getter = kind.selectable.get(label)
    if getter is None:
        offered = ", ".join(sorted(kind.selectable))
        raise ApiError(
            Reason.BAD_REQUEST,
            f"field label not supported: {label} ({kind.kind} can be selected by {offered})",
        )
    return Term(label, value, equal, getter)


def _split(text: str) -> list[str]:
    """The text between commas that no backslash keeps."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == ",":
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _unescape(value: str, part: str) -> str:
    out, characters = [], iter(value)
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if character not in (",", "=", "\\") or not character:
                raise ApiError(
                    Reason.BAD_REQUEST,
                    f'field selector term "{part}": a backslash keeps only a comma, = or backslash',
                )
        elif character == "=":
            raise ApiError(
                Reason.BAD_REQUEST, f'field selector term "{part}": write \\= inside a value'
            )
        out.append(character)
    return "".join(out)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
