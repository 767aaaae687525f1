"""Every watch of the control node: one ring, a cursor a watcher, wake-ups by topic.

A commit adds its records to the ring and wakes the watchers that wait on its topics, a few at a
turn of the loop; it never waits for them. A watcher that waits has missed nothing, so its cursor
is set only when it is woken: idle watchers never fall off the ring. Make the hub when the engine
has started.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from holdfast.api.errors import ApiError, Reason
from holdfast.api.selectors import FieldSelector, LabelSelector
from holdfast.control.cache.cache import Cache
from holdfast.control.cache.entries import Entry, Update
from holdfast.control.cache.events import Record
from holdfast.control.cache.indexes import NODE, NODE_AT, PODS
from holdfast.control.cache.ring import BYTES_MAX, RECORDS_MAX, Ring
from holdfast.control.cache.selections import (
    ANY_COMMIT,
    Lens,
    Selection,
    Topic,
)
from holdfast.control.cache.watcher import Watcher
from holdfast.control.store.commands import Change

WAKES_MAX = 32
"""Watchers woken in one turn of the loop: each then takes ~100 µs with its reply."""
WAKES_EVERY_S = 0.006
"""A large fan-out pauses so long between two turns: it holds half of the loop, not all of it, and
what happens meanwhile reaches those who still wait in the same message."""
BOOKMARK_S = 60.0
HISTORY_READERS_MAX = 4
"""Watchers that read old changes at the same time."""


class Hub:
    """The watches on one cache."""

    def __init__(
        self, cache: Cache, *, bookmark_s: float = BOOKMARK_S, records_max: int = RECORDS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:  # fmt: skip
        """bookmark_s: a watch with nothing to say sends its revision about this often.
        records_max, bytes_max: the bounds of the ring."""
        self.cache = cache
        self.bookmark_s = bookmark_s
        self._new_ring: Callable[[], Ring] = lambda: Ring(cache.revision, records_max, bytes_max)
        self.ring = self._new_ring()
        self.history_readers = asyncio.Semaphore(HISTORY_READERS_MAX)
        self._waiting: dict[Topic, dict[Watcher, None]] = {}
        self._due: deque[Watcher] = deque()  # publish adds, _wake_some takes
        self._watchers: dict[Watcher, None] = {}
        cache.follow(self._publish)
        cache.on_reset(self._reset)
        self._timer = asyncio.get_running_loop().call_later(bookmark_s / 4, self._tick)

    def watch(
        self, resource: str, *, namespace: str = "", labels: LabelSelector | None = None,
        fields: FieldSelector | None = None, after: int = 0, latest_only: bool = False,
    ) -> Watcher:  # fmt: skip
        """A new watch; close it when done. after: the revision it resumes after, 0 = begin with
        the current objects as ADDED events and a bookmark. Raises ApiError BadRequest for a
        negative one."""
        if after < 0:
            raise ApiError(Reason.BAD_REQUEST, f"after_revision: {after} is below 0")
        selection = Selection(
            resource, namespace, labels or LabelSelector(), fields or FieldSelector()
        )
        lens = Lens(selection, self.cache.decode)
        initial = None if after else self._snapshot(selection)
        watcher = Watcher(self, lens, after or self.ring.revision, initial, latest_only)
        self._watchers[watcher] = None
        return watcher

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._watchers)

    def close(self) -> None:
        """End every watch: their `next` raises."""
        self._timer.cancel()
        for watcher in list(self._watchers):
            watcher.close()

    def wait(self, watcher: Watcher, topic: Topic) -> None:
        """Wake this watcher at the next commit that touches the topic. For Watcher only."""
        self._waiting.setdefault(topic, {})[watcher] = None

    def leave(self, watcher: Watcher, topic: Topic) -> bool:
        """Stop waiting. True: it was waiting still, so it has missed nothing."""
        waiting = self._waiting.get(topic)
        if waiting is None or watcher not in waiting:
            return False
        del waiting[watcher]
        if not waiting:
            del self._waiting[topic]
        return True

    def forget(self, watcher: Watcher) -> None:
        """The watcher is closed. For Watcher only."""
        self._watchers.pop(watcher, None)

    def _snapshot(self, selection: Selection) -> list[Entry]:
        node = selection.node
        if node:
            found = self.cache.by_index(selection.resource, NODE, node)
            return sorted(found, key=lambda entry: entry.key)
        return self.cache.list(selection.resource, selection.namespace)

    def _publish(self, changes: Sequence[Change], updates: Sequence[Update]) -> None:
        """One commit: into the ring, and its watchers onto the list of those to wake."""
        before = self.ring.revision
        touched = self.ring.add([*map(_record, changes, updates)])
        touched[ANY_COMMIT] = None
        idle = not self._due
        for topic in touched:
            for watcher in self._waiting.pop(topic, ()):
                watcher.missed_nothing_upto(before)
                self._due.append(watcher)
        if idle and self._due:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _reset(self) -> None:
        """A snapshot took the place of everything: what lies between is in the history alone, so
        the ring begins anew there and every watcher reads up to it."""
        before = self.ring.revision
        self.ring = self._new_ring()
        idle = not self._due
        for waiting in self._waiting.values():
            for watcher in waiting:
                watcher.missed_nothing_upto(before)
                self._due.append(watcher)
        self._waiting.clear()
        if idle and self._due:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        for _ in range(min(WAKES_MAX, len(self._due))):
            self._due.popleft().wake()
        if self._due:
            asyncio.get_running_loop().call_later(WAKES_EVERY_S, self._wake_some)

    def _tick(self) -> None:
        """Wake those who have been quiet for long; they say their bookmark."""
        quiet = [watcher for waiting in self._waiting.values() for watcher in waiting]
        idle = not self._due
        self._due += [watcher for watcher in quiet if watcher.bookmark_due()]
        if idle and self._due:
            self._wake_some()
        self._timer = asyncio.get_running_loop().call_later(self.bookmark_s / 4, self._tick)


def _record(change: Change, update: Update) -> Record:
    if change.key.resource != PODS:
        return Record(change)
    return Record(change, (_node(update.old), _node(update.new)))


def _node(entry: Entry | None) -> str:
    """Where a pod is; "" for one that is not there: no state of it is looked at."""
    return entry.indexed[NODE_AT] if entry else ""
