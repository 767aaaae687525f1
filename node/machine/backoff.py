"""How long to wait before trying again. Pure module.

A container that ends is restarted at once the first time, then after 1 s, 2 s, 4 s … 1 min; ten
minutes of running forgive everything (Kubernetes' enhancement 4603 asks for 1 s → 1 min instead
of 10 s → 5 min). Failing calls (pulls, sandboxes, volumes) wait from the first time on.
"""

from __future__ import annotations

CRASH_FIRST_S = 1.0
CRASH_MAX_S = 60.0
CRASH_FORGIVEN_AFTER_S = 600.0
CALL_FIRST_S = 1.0
CALL_MAX_S = 30.0
PULL_FIRST_S = 5.0
PULL_MAX_S = 60.0


def crash_delay(previous_s: float, ran_s: float) -> float:
    """The delay before the next restart.

    previous_s: the delay before the last restart, negative when there was none. ran_s: how long
    the container ran.
    """
    if previous_s < 0 or ran_s >= CRASH_FORGIVEN_AFTER_S:
        return 0.0
    return min(max(previous_s * 2, CRASH_FIRST_S), CRASH_MAX_S)


def crash_delay_after(restarts: int) -> float:
    """The delay that led to the last of so many restarts: what a restarted agent assumes."""
    if restarts == 0:
        return -1.0
    if restarts == 1:
        return 0.0
    return float(min(CRASH_FIRST_S * 2 ** min(restarts - 2, 6), CRASH_MAX_S))


class Retry:
    """The waiting of one kind of call that fails: `fail` doubles the delay, `clear` forgets."""

    __slots__ = ("_delay_s", "_first_s", "_max_s", "at")

    def __init__(self, first_s: float = CALL_FIRST_S, max_s: float = CALL_MAX_S) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._delay_s = 0.0
        self.at = 0.0  # not before this time

    def fail(self, now: float) -> float:
        """Note a failure; returns the delay before the next try."""
        self._delay_s = min(max(self._delay_s * 2, self._first_s), self._max_s)
        self.at = now + self._delay_s
        return self._delay_s

    def clear(self) -> None:
        """It worked."""
        self._delay_s = self.at = 0.0
