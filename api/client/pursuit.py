"""Whether a call that failed is tried again, and when: the pursuit of a leader. Pure module.

A call made while control nodes elect their leader waits instead of failing. It goes on while
somebody answers; when every known address in turn refuses the connection, nobody is there and it
fails at once. Trying again is safe: writes carry an id, and a repeat gets the first answer.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    _unanswered: int = 0
    _refused: int = 0
    _unknown: int = 0

    def pause_s(
        self, refusal: ApiError, *, answered: bool, turned: bool, addresses: int,
        now: float, chance: float,
    ) -> float | None:  # fmt: skip
        """How long to wait before the next attempt; None = none, the refusal stands.

        answered: the control node said so itself, it was not the connection. turned: it named a
        leader that was not in use. addresses: how many are known. chance: random in [0, 1).
        """
        if not self._hopeful(refusal, answered, addresses):
            return None
        if turned or (not answered and self._unanswered < addresses):
            pause_s = 0.0 if self._pause_s == 0.0 else self._next(chance) / 2
        else:
            pause_s = self._next(chance)
        return pause_s if now + pause_s < self.until else None

    def _hopeful(self, refusal: ApiError, answered: bool, addresses: int) -> bool:
        if not answered:
            self._unanswered += 1
            silent = refusal.reason in (Reason.UNAVAILABLE, Reason.TIMEOUT)
            return silent and self._unanswered < addresses
        self._unanswered = 0
        if refusal.reason is Reason.UNKNOWN_OUTCOME:
            self._unknown += 1
            return self._unknown <= UNKNOWN_MAX
        if refusal.reason is Reason.UNAVAILABLE:  # it cannot serve: perhaps another one can
            self._refused += 1
            return self._refused < addresses
        return refusal.reason is Reason.NOT_LEADER

    def _next(self, chance: float) -> float:
        self._pause_s = min(PAUSE_MAX_S, self._pause_s * 2 or PAUSE_FIRST_S)
        return self._pause_s * (0.5 + chance / 2)
