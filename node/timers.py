"""One heap of deadlines for everything in a process that waits for a time.

A hollow process has thousands of pods on thousands of nodes: they share one heap and one timer of
the event loop instead of a task or a timer each. `Timers` is plain data driven by `run_due`;
`run_on_loop` keeps one loop timer set for the earliest.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from typing import Any

SLICE_S = 0.01
"""How long one run of due calls may hold the loop before others get their turn."""


class Clock:
    """Unix time that never jumps: taken once, then moved on by the monotonic clock."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Now, Unix seconds."""
        return self._offset_s + time.monotonic()


class Timers:
    """Calls to be made at given times, earliest first; equal times in the order they were set."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = math.inf

    def __len__(self) -> int:
        return len(self._heap)

    def now(self) -> float:
        """The clock's time."""
        return self._clock()

    def at(self, when: float, call: Callable[..., None], *args: Any) -> None:
        """Make a call at a time (Unix seconds). It cannot be taken back: let it find out itself
        that it is not wanted any more."""
        heapq.heappush(self._heap, (when, next(self._numbers), call, args))
        if when < self._armed_for:
            self._arm(when)

    def next_at(self) -> float:
        """When the earliest call is due; infinity when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def run_due(self, slice_s: float = math.inf) -> None:
        """Make every call that is due, or as many as fit into slice_s."""
        started = now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, _, call, args = heapq.heappop(self._heap)
            call(*args)
            now = self._clock()
            if now - started > slice_s:
                return

    def run_on_loop(self) -> None:
        """From now on, make the calls on the running event loop as they come due."""
        self._loop = asyncio.get_running_loop()
        self._arm(self.next_at())

    def stop(self) -> None:
        """Make no more calls."""
        if self._handle is not None:
            self._handle.cancel()
        self._loop = self._handle = None

    def _arm(self, when: float) -> None:
        if self._loop is None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._armed_for = when
        if when < math.inf:
            self._handle = self._loop.call_later(max(0.0, when - self._clock()), self._fire)

    def _fire(self) -> None:
        self._armed_for = -math.inf  # calls made now need not arm again
        try:
            self.run_due(SLICE_S)
        finally:
            self._arm(self.next_at())
