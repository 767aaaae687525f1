"""Whether a call that failed is tried again, and when: the pursuit of a leader. Pure module.

A call made while control nodes elect their leader waits instead of failing. It goes on while
somebody answers; when every known address in turn refuses the connection, nobody is there and it
fails at once. Trying again is safe: writes carry an id, and a repeat gets the first answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.api.errors import ApiError, Reason

PAUSE_FIRST_S = 0.02
PAUSE_MAX_S = 0.25
UNKNOWN_MAX = 3
"""Repeats after "it may or may not have happened": the second answer says what did."""


@dataclass(slots=True)
class Pursuit:
    """One call. until: when it gives up, on the clock of `now`."""

    until: float
    _pause_s: float = 0.0
    _silent: dict[str, None] = field(default_factory=dict)
    _refused: dict[str, None] = field(default_factory=dict)
    _unknown: int = 0

    def pause_s(
        self, refusal: ApiError, address: str, known: Sequence[str], *, answered: bool,
        turned: bool, now: float, chance: float,
    ) -> float | None:  # fmt: skip
        """How long to wait before the next attempt; None = none, the refusal stands.

        address: where it was refused; known: every address there is. answered: the control node
        said so itself, it was not the connection. turned: the next attempt goes elsewhere.
        chance: random in [0, 1).
        """
        if not self._hopeful(refusal, address, known, answered):
            return None
        pause_s = self._next(chance)
        if turned and pause_s <= PAUSE_FIRST_S:
            pause_s = 0.0  # the first time; those who name each other are asked more slowly
        return pause_s if now + pause_s < self.until else None

    def _hopeful(
        self, refusal: ApiError, address: str, known: Sequence[str], answered: bool
    ) -> bool:
        if not answered:
            self._silent[address] = None
            silent = refusal.reason in (Reason.UNAVAILABLE, Reason.TIMEOUT)
            return silent and any(one not in self._silent for one in known)
        self._silent.clear()
        if refusal.reason is Reason.UNKNOWN_OUTCOME:
            self._unknown += 1
            return self._unknown <= UNKNOWN_MAX
        if refusal.reason is Reason.UNAVAILABLE:  # it cannot serve: perhaps another one can
            self._refused[address] = None
            return any(one not in self._refused for one in known)
        return refusal.reason is Reason.NOT_LEADER

    def _next(self, chance: float) -> float:
        self._pause_s = min(PAUSE_MAX_S, self._pause_s * 2 or PAUSE_FIRST_S)
        return self._pause_s * (0.5 + chance / 2)
