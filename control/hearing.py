"""Changes of some resources, told to one consumer in short slices.

The cache calls its listeners inside a commit, where nothing may take long; here changes wait
until the consumer (the controllers' runner, the scheduler's loop) has its turn. It is told what
was there before as if it were added, then every change once, in order. The queue is emptied at
every turn of the consumer, so it holds what was committed during one turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from holdfast.control.cache import EventType, Update

if TYPE_CHECKING:
    from holdfast.control.cache import Cache

SLICE_S = 0.002
"""How long the loop is held before others get their turn."""

Tell = Callable[[str, Update], None]
"""The consumer: resource and change. It must not raise."""


class Hearing:
    """One consumer's queue. `wake` is set at every change; the consumer waits on it."""

    def __init__(self, cache: Cache, resources: Iterable[str], tell: Tell) -> None:
        self.wake = asyncio.Event()
        self._cache = cache
        self._resources = tuple(resources)
        self._tell = tell
        self._waiting: deque[tuple[str, Update]] = deque()
        self._ends: list[Callable[[], None]] = []  # of the subscriptions; [] = not begun

    def begin(self) -> None:
        """Take over what is there and follow from there on. No await in between."""
        assert not self._ends, "heard already"
        for resource in self._resources:
            for entry in self._cache.list(resource):
                added = Update(EventType.ADDED, None, entry, entry.revision)
                self._waiting.append((resource, added))
            self._ends.append(self._cache.subscribe(resource, self._listener(resource)))

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
            self._waiting.extend((resource, update) for update in updates)
            self.wake.set()

        return changed
