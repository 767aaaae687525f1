"""How late the event loop runs its timers, and who made it late.

Raft, API, controllers and scheduler share one loop, so no synchronous slice may exceed 10 ms
(DESIGN §5). A timer each 5 ms measures by how much it came late; a watchdog thread takes the
loop thread's stack when a slice lasts over 50 ms, once a slice. Both only read.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import threading
import traceback

import structlog

INTERVAL_S = 0.005
STALL_S = 0.05
STACK_LINES_MAX = 12
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

log = structlog.get_logger()


class LoopLag:
    """Measures the running loop from `start` to `stop`.

    counts: samples per bucket of BOUNDS_S and one above; max_s: the worst since it was taken.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0
        self.max_s = 0.0
        self._beat = 0.0  # loop time of the last timer; the watchdog reads it
        self._stopped = threading.Event()
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure. Call on the loop's own thread."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._beat = self._loop.time()
        self._arm()
        threading.Thread(target=self._watch, name="loop-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop measuring; the watchdog thread ends within its interval."""
        self._stopped.set()
        if self._handle is not None:
            self._handle.cancel()

    def take_max_s(self) -> float:
        """The worst since the last call."""
        worst, self.max_s = self.max_s, 0.0
        return worst

    def _arm(self) -> None:
        self._due = self._loop.time() + INTERVAL_S
        self._handle = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        late_s = max(0.0, now - self._due)
        self.counts[bisect.bisect_left(BOUNDS_S, late_s)] += 1
        self.sum_s += late_s
        self.max_s = max(self.max_s, late_s)
        self._beat = now
        self._arm()

    def _watch(self) -> None:
        """The watchdog thread: log the stack of a slice that lasts too long, once."""
        seen = 0.0
        while not self._stopped.wait(STALL_S / 2):
            beat = self._beat
            lasted_s = self._loop.time() - beat
            if lasted_s < STALL_S + INTERVAL_S or beat == seen:
                continue
            seen = beat
            frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the documented way
            stack = traceback.format_stack(frame)[-STACK_LINES_MAX:] if frame else []
            log.warning("loop stalled", lasted_s=round(lasted_s, 3), stack="".join(stack))
