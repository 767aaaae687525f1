"""Changes of some resources, told to one consumer in short slices.

The cache calls its listeners inside a commit, where nothing may take long; here changes wait
until the consumer (the controllers' runner, the scheduler's loop) has its turn. It is told what
was there before as if it were added, then every change once, in order. The queue is emptied at
every turn of the consumer, so it holds what was committed during one turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from holdfast.control.cache import EventType, Update

if TYPE_CHECKING:
    from holdfast.control.cache import Cache

SLICE_S = 0.002
"""How long the loop is held before others get their turn."""
TOLD_AT_ONCE = 32
"""The changes of one commit that are told together: few enough for a slice, enough to share what
is the same for all of them."""

Tell = Callable[[str, "Sequence[Update]"], None]
"""The consumer: a resource and changes of it, in order. It must not raise."""


class Hearing:
    """One consumer's queue. `wake` is set at every change; the consumer waits on it."""

    def __init__(self, cache: Cache, resources: Iterable[str], tell: Tell) -> None:
        self.wake = asyncio.Event()
        self._cache = cache
        self._resources = tuple(resources)
        self._tell = tell
        self._waiting: deque[tuple[str, Sequence[Update]]] = deque()
        self._ends: list[Callable[[], None]] = []  # of the subscriptions; [] = not begun

    def begin(self) -> None:
        """Take over what is there and follow from there on. No await in between."""
        assert not self._ends, "heard already"
        for resource in self._resources:
            listener = self._listener(resource)
            there = self._cache.list(resource)
            listener([Update(EventType.ADDED, None, entry, entry.revision) for entry in there])
            self._ends.append(self._cache.subscribe(resource, listener))

    def end(self) -> None:
        """Hear nothing any more; nothing of it is left at the cache."""
        for end in self._ends:
            end()
        self._ends.clear()
        self._waiting.clear()

    async def hear(self) -> None:
        """Tell everything that waits, slice by slice. When it returns, nothing has changed since
        the last thing told."""
        time = asyncio.get_running_loop().time
        until = time() + SLICE_S
        while self._waiting:
            self._tell(*self._waiting.popleft())
            if time() >= until:
                await asyncio.sleep(0)
                until = time() + SLICE_S

    def _listener(self, resource: str) -> Callable[[list[Update]], None]:
        def changed(updates: list[Update]) -> None:
            for at in range(0, len(updates), TOLD_AT_ONCE):
                self._waiting.append((resource, updates[at : at + TOLD_AT_ONCE]))
            self.wake.set()

        return changed
