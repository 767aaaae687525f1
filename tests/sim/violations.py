"""What a checker says when it finds something: which checker, and one clear sentence."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Checker(StrEnum):
    """The checkers by their letters, as planted bugs name them."""

    LEADERS = "L"  # at most one leader a term
    ACKNOWLEDGED = "A"  # no acknowledged write lost
    SAMENESS = "S"  # all members' state equal at equal index
    REPLAY = "R"  # every answer fits its revision
    ONCE = "O"  # at most once
    FENCE = "F"  # nothing decided in one term happens in another
    WATCHES = "W"  # ordered, unique, reliable, atomic, resumable, bookmarkable
    LIVENESS = "P"  # when faults end, all goes on
    LINEARIZABILITY = "Z"  # the second opinion on R, key by key


class Violation(NamedTuple):
    """A promise was broken."""

    checker: Checker
    sentence: str
