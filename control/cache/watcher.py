"""One watch: its cursor, and how it comes to its next batch.

One path for all it sends: the initial state if it asked for it, then whole commits from the ring,
or from history pages while it is below the ring, then waiting. The cursor moves only when a batch
is returned, so a cancelled `next` loses nothing. A bookmark says the cursor and so never
overtakes an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.api.errors import ApiError, Reason
from holdfast.control.cache.entries import Entry, EventType
from holdfast.control.cache.events import Batch, Event, Record, bookmark
from holdfast.control.cache.fold import BYTES_MAX, EVENTS_MAX, Fold
from holdfast.control.cache.selections import ANY_COMMIT, Lens, Topic
from holdfast.control.store.commands import Change
from holdfast.control.store.engine import ExpiredError, StoreError

if TYPE_CHECKING:
    from holdfast.control.cache.hub import Hub

SLICE_RECORDS = 256
"""Records looked at without letting others run (~6 µs each when they must be decoded)."""
HISTORY_RECORDS = 512
REACH_S = 3.0
"""A watch from a revision that is not there yet waits so long for it."""


class Watcher:
    """Made by `Hub.watch`. One task at a time may await `next`."""

    def __init__(
        self, hub: Hub, lens: Lens, after: int, initial: Sequence[Entry] | None, latest_only: bool
    ) -> None:
        self._hub = hub
        self._lens = lens
        self._cursor = after
        self._initial = initial
        self._initial_at = 0
        self._latest_only = latest_only
        self._woken: asyncio.Future[None] | None = None  # set by wake, next waits
        self._quiet_since = asyncio.get_running_loop().time()
        self._closed = False

    async def next(self) -> Batch:
        """The next events, at least one; a bookmark when there was nothing for a while.

        Raises ApiError: Expired (list again), Timeout (its revision was never reached),
        ServiceUnavailable (closed, or the store is gone).
        """
        batch = await self._next()
        self._quiet_since = asyncio.get_running_loop().time()
        return batch

    def close(self) -> None:
        """End the watch; a `next` that waits raises."""
        self._closed = True
        self._hub.forget(self)
        self.wake()

    def wake(self) -> None:
        """There is something for it. For Hub only."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def missed_nothing_upto(self, revision: int) -> None:
        """It waited until this revision. For Hub only."""
        self._cursor = max(self._cursor, revision)

    def bookmark_due(self) -> bool:
        """It has said nothing for a while. For Hub only."""
        now = asyncio.get_running_loop().time()
        return now >= self._quiet_since + self._hub.bookmark_s

    async def _next(self) -> Batch:
        if self._initial is not None and not self._closed:
            return await self._initial_batch(self._initial)
        await self._reach()
        while not self._closed:
            if self._cursor < self._hub.ring.revision:
                batch = await self._gather()
                self._cursor = batch.revision
                if batch.events:
                    return batch
            woken = await self._wait(self._lens.topic)
            if not woken and not self._closed and self.bookmark_due():
                return Batch((bookmark(self._cursor),), self._cursor)
        raise _closed()

    async def _initial_batch(self, entries: Sequence[Entry]) -> Batch:
        """The next part of the state as it was when the watch began; the bookmark at its end."""
        events: list[Event] = []
        at, size = self._initial_at, 0
        while at < len(entries) and len(events) < EVENTS_MAX and size < BYTES_MAX:
            entry = entries[at]
            at += 1
            if self._lens.holds(entry):
                type_ = EventType.ADDED
                events.append(Event(type_, entry.revision, entry.key, entry.data, entry.created))
                size += len(entry.data)
            if at % SLICE_RECORDS == 0:
                await asyncio.sleep(0)
        self._initial_at = at
        if at < len(entries):
            return Batch(tuple(events), 0)
        self._initial = None
        return Batch((*events, bookmark(self._cursor)), self._cursor)

    async def _reach(self) -> None:
        """Wait until the revision it resumes after is there."""
        ring, loop = self._hub.ring, asyncio.get_running_loop()
        deadline = loop.time() + REACH_S
        while self._cursor > ring.revision and not self._closed:
            if loop.time() >= deadline:
                raise ApiError(
                    Reason.TIMEOUT,
                    f"revision {self._cursor} is not reached, the newest is {ring.revision}",
                )
            timer = loop.call_at(deadline, self.wake)
            try:
                await self._wait(ANY_COMMIT)
            finally:
                timer.cancel()

    async def _gather(self) -> Batch:
        """Events up to a batch's bounds, or until nothing more is there; it may have none."""
        ring, fold, cursor = self._hub.ring, Fold(self._latest_only), self._cursor
        while not self._closed:
            records, cursor = await self._read(cursor)
            cursor = self._look(records, fold, cursor)
            enough = fold.full or (len(fold) > 0 and not self._latest_only)
            if enough or cursor >= ring.revision:
                return Batch(fold.events(), cursor)
            await asyncio.sleep(0)
        raise _closed()

    def _look(self, records: Sequence[Record], fold: Fold, upto: int) -> int:
        """Fold records until the batch is full, whole commits; the revision then reached."""
        end = 0
        for record in records:
            if record.end != end and fold.full:
                return end
            end = record.end
            event = self._lens.event(record)
            if event is not None:
                fold.add(event, record)
        return upto

    async def _read(self, cursor: int) -> tuple[Sequence[Record], int]:
        """Records above the cursor, whole commits, and the revision up to which they reach."""
        ring = self._hub.ring
        if cursor >= ring.base:
            return ring.read(self._lens.topic, cursor, SLICE_RECORDS)
        try:
            async with self._hub.history_readers:
                changes = await self._old_changes(cursor)
        except ExpiredError as error:
            raise ApiError(Reason.EXPIRED, f"too old: {error}; list again") from error
        except StoreError as error:
            raise ApiError(Reason.UNAVAILABLE, str(error)) from error
        upto = changes[-1].end if changes else max(cursor, ring.base)
        return [Record(change) for change in changes], upto

    async def _old_changes(self, cursor: int) -> list[Change]:
        history = self._hub.cache.engine.history
        changes = await history(cursor, HISTORY_RECORDS)
        while changes and changes[-1].revision < changes[-1].end:
            last = changes[-1]
            changes += await history(last.revision, last.end - last.revision)
        return changes

    async def _wait(self, topic: Topic) -> bool:
        """Wait for a commit that touches the topic. False: woken without one (a bookmark is
        due, closed), and the cursor is level."""
        hub = self._hub
        hub.wait(self, topic)
        self._woken = asyncio.get_running_loop().create_future()
        try:
            await self._woken
        finally:
            self._woken = None
            idle = hub.leave(self, topic)
            if idle:
                self._cursor = max(self._cursor, hub.ring.revision)
        return not idle


def _closed() -> ApiError:
    return ApiError(Reason.UNAVAILABLE, "the watch was closed: watch again")
