"""How many failed joins one address, and all of them together, may make in a while.

A join token cannot be guessed (160 bits); the bound keeps guessing from costing processor time
and log space. Memory is bounded: a flood of addresses is held off by the bound over all. Pure
module.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 60.0
FAILURES_MAX = 10
FAILURES_MAX_TOGETHER = 200


@dataclass(slots=True)
class Attempts:
    """The failures of the last WINDOW_S seconds, oldest first: (time, address)."""

    _failures: deque[tuple[float, str]] = field(default_factory=deque)
    _counts: dict[str, int] = field(default_factory=dict)

    def failed(self, address: str, now: float) -> None:
        """Note one failed join. Called only when `wait_s` was 0, so the deque is bounded."""
        self._forget(now)
        self._failures.append((now, address))
        self._counts[address] = self._counts.get(address, 0) + 1

    def wait_s(self, address: str, now: float) -> int:
        """Whole seconds until this address may try again; 0 = now."""
        self._forget(now)
        if self._counts.get(address, 0) >= FAILURES_MAX:
            oldest = next(when for when, who in self._failures if who == address)
        elif len(self._failures) >= FAILURES_MAX_TOGETHER:
            oldest = self._failures[0][0]
        else:
            return 0
        return max(1, round(oldest + WINDOW_S - now))

    def _forget(self, now: float) -> None:
        while self._failures and self._failures[0][0] <= now - WINDOW_S:
            _, address = self._failures.popleft()
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
