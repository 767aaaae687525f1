"""The leader's work in one term: bootstrap and its own row, then sessions, events, controllers and
scheduler.

All of it is made anew for each term, so that nothing a term believed outlives it; Events that a
term had not written are dropped with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from holdfast.api.errors import ApiError, Reason
from holdfast.control.controllers import every
from holdfast.control.controllers.runner import Runner
from holdfast.control.registry import bootstrap
from holdfast.control.scheduler.loop import SchedulerLoop
from holdfast.control.store.engine import StoreError
from holdfast.control.together import together

if TYPE_CHECKING:
    import numpy as np

    from holdfast.control.cache import Cache
    from holdfast.control.group.roster import Roster
    from holdfast.control.recorder import Recorder
    from holdfast.control.registry import Registry
    from holdfast.control.sessions.sessions import Sessions

AGAIN_S = 0.1
PASSING = (Reason.NOT_LEADER, Reason.UNAVAILABLE, Reason.UNKNOWN_OUTCOME)
"""Why a write of the bootstrap may fail and be tried again: the term may be over, too."""

log = structlog.get_logger()


class Leader:
    """What a control node does while it leads. begun: set when a term's work first stood."""

    def __init__(
        self, cache: Cache, registry: Registry, sessions: Sessions, roster: Roster,
        clock: Callable[[], float], recorder: Callable[[], Recorder],
        rng: Callable[[], np.random.Generator],
    ) -> None:  # fmt: skip
        """clock: Unix seconds; recorder: makes one; rng: makes the scheduler's randomness."""
        self.begun = asyncio.Event()
        self._cache = cache
        self._registry = registry
        self._sessions = sessions
        self._roster = roster
        self._clock = clock
        self._new_recorder = recorder
        self._rng = rng
        self._recorder = recorder()

    @property
    def notes_waiting(self) -> int:
        """Notes of this term that are no Events yet, for /metrics."""
        return self._recorder.waiting

    @property
    def notes_dropped(self) -> int:
        """Notes dropped in this term, for /metrics."""
        return self._recorder.dropped

    async def lead(self, term: int) -> None:
        """Work until cancelled. Raises what a part raises."""
        await self._bootstrap()
        cache, registry, clock = self._cache, self._registry, self._clock
        recorder = self._recorder = self._new_recorder()
        runner = Runner(cache, registry, every(), clock, recorder)
        scheduler = SchedulerLoop(cache, registry, recorder, clock, self._rng())
        self.begun.set()
        await together(
            self._roster.lead(),
            self._sessions.run(term),
            recorder.run(term),
            runner.run(term),
            scheduler.run(term),
        )

    async def _bootstrap(self) -> None:
        """Raises ApiError when the store refuses for a reason that does not pass."""
        while True:
            try:
                await bootstrap(self._registry)
                await self._roster.announce()
            except (ApiError, StoreError) as error:
                if isinstance(error, ApiError) and error.reason not in PASSING:
                    raise
                log.info("bootstrap put off", why=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                return
