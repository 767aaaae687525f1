"""An event loop on virtual time: asyncio's own base loop, whose clock is given and never waits.

Each process of the simulation has a loop of its own, so a crash is simply a loop that is never
turned again: no `finally` runs, as with SIGKILL. The order in which callbacks run is the order
they were made ready; there are no threads, no sockets and no signals.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

NEVER = float("inf")
RESOLUTION_S = 1e-9


class SimLoop(asyncio.BaseEventLoop):
    """A loop that somebody else turns. clock: its time in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.time = clock  # type: ignore[method-assign]
        self.set_exception_handler(self._keep)
        self.errors: list[str] = []

    @property
    def ready(self) -> deque[asyncio.Handle]:
        """What the next turn runs."""
        return self._ready

    def due(self) -> float:
        """The local time at which it must be turned; NEVER = nothing is to be done."""
        if self._ready:
            return 0.0
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        return timers[0]._when if timers else NEVER

    def turn(self) -> None:
        """Run what is ready and due, once: what is made ready meanwhile is for the next turn."""
        ready, timers, until = self._ready, self._scheduled, self.time() + RESOLUTION_S
        while timers and timers[0]._when < until:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        events._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
        finally:
            events._set_running_loop(None)

    def run_in_executor(self, *_: Any) -> NoReturn:
        """No threads."""
        raise RuntimeError("the simulation has no threads: this belongs behind a seam")

    def _write_to_self(self) -> None: ...

    def _keep(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error nobody awaited: the run looks at it."""
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")
