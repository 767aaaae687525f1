"""Which keys wait, which are looked at, and when each may be looked at again.

One a controller. Keys wait in arrival order and once each; a key whose writes are in flight is
not handed out, and comes back if something happened meanwhile. Refused keys wait 10 ms · 2ⁿ, at
most 30 s; the first conflict does not wait, because the view is level by then.

Order that must hold: `take`, then `finish` for the same key, exactly once. Pure module.
"""

from __future__ import annotations

import heapq
from enum import StrEnum

from holdfast.control.controllers.decisions import Key

BACKOFF_BASE_S = 0.01
BACKOFF_MAX_S = 30.0


class Verdict(StrEnum):
    """How the work on a key ended."""

    DONE = "done"
    CONFLICT = "conflict"  # something else was faster: look again
    FAILED = "failed"  # refused, or the reconcile raised


class Work:
    """The queue of one controller. interval_s: Controller.interval_s."""

    def __init__(self, interval_s: float = 0.0) -> None:
        self._interval_s = interval_s
        self._ready: dict[Key, None] = {}  # waits to be taken, oldest first
        self._busy: dict[Key, bool] = {}  # taken; True: touched since
        self._due: dict[Key, float] = {}  # the next time to look by time alone
        self._heap: list[tuple[float, Key]] = []  # of _due; a row that contradicts it is stale
        self._cooling: dict[Key, float] = {}  # last look + interval, oldest first
        self._held: dict[Key, float] = {}  # end of the back-off
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def busy(self) -> int:
        """Keys whose writes are in flight."""
        return len(self._busy)

    def touch(self, key: Key, now: float) -> None:
        """Something happened to the key."""
        if key in self._busy:
            self._busy[key] = True
        elif key not in self._ready:
            wait_until = max(self._cooling.get(key, 0.0), self._held.get(key, 0.0))
            if wait_until <= now:
                self._ready[key] = None
            else:
                self._look_at(key, wait_until)

    def take(self, now: float) -> Key | None:
        """The next key to look at, None when none may be."""
        self._wake(now)
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        self._due.pop(key, None)
        self._held.pop(key, None)
        self._busy[key] = False
        if self._interval_s:
            self._cooling.pop(key, None)
            self._cooling[key] = now + self._interval_s
        return key

    def finish(self, key: Key, verdict: Verdict, now: float, again_at: float | None = None) -> None:
        """The work on a key has ended. again_at: as in Decision; ignored unless done."""
        touched = self._busy.pop(key)
        if verdict is not Verdict.DONE:
            self._back_off(key, verdict, now)
            return
        self._failures.pop(key, None)
        if again_at is not None and again_at <= now:
            self._ready[key] = None
            return
        if again_at is not None:
            self._look_at(key, again_at)
        if touched:
            self.touch(key, now)

    def deadline(self) -> float | None:
        """When a key becomes ready by time alone; None = never."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _look_at(self, key: Key, when: float) -> None:
        due = self._due.get(key)
        if due is None or when < due:
            self._due[key] = when
            heapq.heappush(self._heap, (when, key))

    def _wake(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                if key not in self._busy:
                    self._ready[key] = None
        while self._cooling:
            key, until = next(iter(self._cooling.items()))
            if until > now:
                break
            del self._cooling[key]

    def _back_off(self, key: Key, verdict: Verdict, now: float) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        if verdict is Verdict.CONFLICT and failures == 0:
            self._ready[key] = None
            return
        self._held[key] = now + min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** min(failures, 20))
        self._look_at(key, self._held[key])
