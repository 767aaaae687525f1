"""The text form of label selectors: "app=web,tier in (front, back),!canary,shards>3".

    selector    = [ requirement { "," requirement } ]
    requirement = "!" key | key [ operation ]
    operation   = ("=" | "==" | "!=" | ">" | "<") value | ("in" | "notin") "(" values ")"
    values      = value { "," value }          a value may be empty

Source: labels.Parse of apimachinery's pkg/labels. Pure module.
"""

from __future__ import annotations

import re

from holdfast.api.errors import ApiError, Reason
from holdfast.api.selectors.labels import LabelSelector, Operator, Requirement, requirement

LENGTH_MAX = 16384  # characters of one selector

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "<", ">", "(", ")", ","))
_COMPARISONS = {
    "=": Operator.IN,
    "==": Operator.IN,
    "!=": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}
_SETS = {"in": Operator.IN, "notin": Operator.NOT_IN}


def parse_labels(text: str) -> LabelSelector:
    """The selector that `text` says; empty text selects everything.

    Raises ApiError BadRequest with the text and what in it is wrong.
    """
    if len(text) > LENGTH_MAX:
        raise ApiError(Reason.BAD_REQUEST, f"a label selector ends at {LENGTH_MAX} characters")
    reader = _Reader(text)
    if not reader.peek():
        return LabelSelector()
    found = [_requirement(reader)]
    while reader.peek():
        reader.expect(",", "between requirements")
        found.append(_requirement(reader))
    return LabelSelector(tuple(found))


class _Reader:
    """The tokens of one text, and where reading stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = _TOKEN.findall(text)
        self._next = 0

    def peek(self) -> str:
        """The next token, "" at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def expect(self, token: str, where: str) -> None:
        found = self.take()
        if found != token:
            raise self.fault(f'expected "{token}" {where}, got {_shown(found)}')

    def value(self) -> str:
        """The next token when it is a word, else the empty value."""
        return self.take() if self.peek() and self.peek() not in _SYMBOLS else ""

    def fault(self, why: str) -> ApiError:
        shown = self.text if len(self.text) <= 200 else self.text[:200] + "…"
        return ApiError(Reason.BAD_REQUEST, f'unable to parse label selector "{shown}": {why}')


def _requirement(reader: _Reader) -> Requirement:
    absent = reader.peek() == "!"
    if absent:
        reader.take()
    key = reader.take()
    if not key or key in _SYMBOLS:
        raise reader.fault(f"expected a label key, got {_shown(key)}")
    if absent:
        return requirement(key, Operator.DOES_NOT_EXIST, ())
    following = reader.peek()
    if following in ("", ","):
        return requirement(key, Operator.EXISTS, ())
    reader.take()
    if following in _COMPARISONS:
        return requirement(key, _COMPARISONS[following], (reader.value(),))
    if following in _SETS:
        return requirement(key, _SETS[following], _values(reader, following))
    raise reader.fault(
        f'expected an operator (=, !=, in, notin, <, >) after "{key}", got {_shown(following)}'
    )


def _values(reader: _Reader, operator: str) -> list[str]:
    reader.expect("(", f'after "{operator}"')
    values = [reader.value()]
    while reader.peek() == ",":
        reader.take()
        values.append(reader.value())
    reader.expect(")", "after the values")
    return values


def _shown(token: str) -> str:
    return f'"{token}"' if token else "the end"
