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
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NoReturn

NEVER = float("inf")
RESOLUTION_S = 1e-9


class Soon(asyncio.Handle):
    """A callback that is ready. Made some ten thousand times a run: no more than it needs."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop, context: Context | None,
    ) -> None:  # fmt: skip
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class SimLoop(asyncio.BaseEventLoop):
    """A loop that somebody else turns. clock: its time in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.time = clock  # type: ignore[method-assign]
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        self.set_exception_handler(self._keep)
        self.errors: list[str] = []
        self._timers: list[tuple[float, asyncio.TimerHandle]] = []

    @property
    def ready(self) -> deque[asyncio.Handle]:
        """What the next turn runs."""
        return self._ready

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See the base; without its checks."""
        handle = Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        """See the base; without its checks."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, timer))
        return timer

    def due(self) -> float:
        """The local time at which it must be turned; NEVER = nothing is to be done."""
        if self._ready:
            return 0.0
        timers = self._timers
        while timers and timers[0][1]._cancelled:
            heapq.heappop(timers)
        return timers[0][0] if timers else NEVER

    def turn(self) -> None:
        """Run what is ready and due, once: what is made ready meanwhile is for the next turn."""
        self.enter()
        try:
            self.once()
        finally:
            self.leave()

    def enter(self) -> None:
        """Before the first of some turns: who asks finds this loop running."""
        events._set_running_loop(self)

    def leave(self) -> None:
        """After the last."""
        events._set_running_loop(None)

    def once(self) -> None:
        """One turn, between `enter` and `leave`."""
        ready, timers, until = self._ready, self._timers, self.time() + RESOLUTION_S
        while timers and timers[0][0] < until:
            ready.append(heapq.heappop(timers)[1])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:  # as Handle._run does, a call a handle cheaper
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": f"in {handle}", "exception": error})

    def run_in_executor(self, *_: Any) -> NoReturn:
        """No threads."""
        raise RuntimeError("the simulation has no threads: this belongs behind a seam")

    def _write_to_self(self) -> None: ...

    def _keep(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error nobody awaited: the run looks at it."""
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")
