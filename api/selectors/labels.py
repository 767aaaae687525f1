"""What a label selector means: requirements, all of which an object's labels must meet.

Selectors are values: equal ones compare and hash equal, and `str` gives their text form back.

Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from holdfast.api import names
from holdfast.api.errors import ApiError, Reason
from holdfast.api.meta.v1 import meta_pb2 as meta


class Labels(Protocol):
    """What `matches` reads: a dict, or a message's map field (never indexed, that inserts)."""

    def get(self, key: str, /) -> str | None:
        """The label's value, None when it is absent."""


class Operator(StrEnum):
    """How a requirement judges a label; the text is LabelSelectorRequirement.operator."""

    IN = "In"
    NOT_IN = "NotIn"  # also met when the label is absent
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. values: of In and NotIn at least one, of Gt and Lt one integer, else none."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Whether the labels meet this term."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        number = _integer(value or "")
        (bound,) = self.values
        if number is None:
            return False
        return number > int(bound) if self.operator is Operator.GREATER else number < int(bound)

    def __str__(self) -> str:
        values = sorted(self.values)
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.GREATER | Operator.LESS:
                return f"{self.key}{'>' if self.operator is Operator.GREATER else '<'}{values[0]}"
        if len(values) == 1:
            return f"{self.key}{'=' if self.operator is Operator.IN else '!='}{values[0]}"
        return f"{self.key} {self.operator.lower()} ({','.join(values)})"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must be met; none means everything. nothing: it selects no object."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def requirement(key: str, operator: Operator, values: Iterable[str]) -> Requirement:
    """A checked requirement. Raises ApiError BadRequest naming the key or value that is wrong."""
    found = frozenset(values)
    fault = names.qualified(key)
    if fault:
        raise _refused(f'label key "{key}": {fault}')
    match operator:
        case Operator.IN | Operator.NOT_IN if not found:
            raise _refused(f'label "{key}": {operator} needs at least one value')
        case Operator.EXISTS | Operator.DOES_NOT_EXIST if found:
            raise _refused(f'label "{key}": {operator} takes no values')
        case Operator.GREATER | Operator.LESS if [_integer(v) for v in found].count(None):
            raise _refused(f'label "{key}": {operator} needs an integer')
        case Operator.GREATER | Operator.LESS if len(found) != 1:
            raise _refused(f'label "{key}": {operator} needs exactly one value')
    for value in found:
        fault = names.label_value(value)
        if fault:
            raise _refused(f'label "{key}": value "{value}": {fault}')
    return Requirement(key, operator, found)


def of_labels(labels: Mapping[str, str]) -> LabelSelector:
    """The selector of a plain map, as Service.spec.selector is: every label equal.

    The labels are taken as they are: validation has judged them.
    """
    return LabelSelector(
        tuple(
            Requirement(key, Operator.IN, frozenset((value,)))
            for key, value in sorted(labels.items())
        )
    )


def from_message(message: meta.LabelSelector | None) -> LabelSelector:
    """The selector that a LabelSelector message means: absent nothing, empty everything.

    An absent field reads as an empty message, so the caller passes None when HasField says no.
    Raises ApiError BadRequest for what no selector may hold.
    """
    if message is None:
        return NOTHING
    found = [
        requirement(key, Operator.IN, (value,))
        for key, value in sorted(message.matchLabels.items())
    ]
    for expression in message.matchExpressions:
        if expression.operator not in _OF_MESSAGES:
            raise _refused(
                f'label "{expression.key}": operator "{expression.operator}" is none of '
                + ", ".join(_OF_MESSAGES)
            )
        operator = Operator(expression.operator)
        found.append(requirement(expression.key, operator, expression.values))
    return LabelSelector(tuple(found))


_OF_MESSAGES = ("In", "NotIn", "Exists", "DoesNotExist")


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else None


def _refused(why: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, f"unable to parse label selector: {why}")
