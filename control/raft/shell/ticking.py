"""When a member ticks: at even distances, and once however late it is."""

from __future__ import annotations

import asyncio


class TickTimer:
    """due: a tick's time has passed. The timer alone says so, because timers may come a little
    early; who waits is woken then, ticks, and calls `again`."""

    def __init__(self, tick_s: float, wake: asyncio.Event) -> None:
        self.due = False
        self._loop = asyncio.get_running_loop()
        self._tick_s = tick_s
        self._wake = wake
        self._at = self._loop.time() + tick_s
        self._timer = self._loop.call_at(self._at, self._passed)

    def again(self) -> None:
        """The tick was made: the next is one step later, or from now on when that has passed."""
        self.due = False
        now, following = self._loop.time(), self._at + self._tick_s
        self._at = following if following > now else now + self._tick_s
        self._timer = self._loop.call_at(self._at, self._passed)

    def cancel(self) -> None:
        """No tick more."""
        self._timer.cancel()

    def _passed(self) -> None:
        self.due = True
        self._wake.set()
