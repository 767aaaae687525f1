"""How long to wait before trying again: doubling, bounded, with jitter. Pure module."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True)
class Backoff:
    """Waits of one follower. A wait is drawn from the upper half of its step, so that clients cut
    off together do not come back together."""

    first_s: float = 0.05
    most_s: float = 5.0
    _step_s: float = 0.0

    def next_s(self, chance: float) -> float:
        """The next wait in seconds, each up to twice the one before. chance: random in [0, 1)."""
        self._step_s = min(self.most_s, self._step_s * 2 or self.first_s)
        return self._step_s * (0.5 + chance / 2)

    def reset(self) -> None:
        """It works again: the next wait is the first one."""
        self._step_s = 0.0
