"""Following one resource for as long as a program lives: what the node agent and netproxy use.

A watch from the start (the objects there are, then a bookmark), then its changes; after a cut it
resumes where it was; when that is too old it starts over and tells the difference. Waits between
attempts double up to a limit, with jitter: never a tight loop. The owner runs `run` as a task
and cancels it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import structlog

from holdfast.api.client.backoff import Backoff
from holdfast.api.client.client import Client
from holdfast.api.client.events import Event, EventType
from holdfast.api.errors import ApiError, Reason

STABLE_S = 5.0
"""A watch that held this long was a good one: the next wait is short again."""

Key = tuple[str, str]
OnBatch = Callable[[list[Event]], None]
log = structlog.get_logger()


class Reflector:
    """Calls `on_batch` with batches of ADDED, MODIFIED and DELETED events, in order, no bookmarks.

    on_batch: synchronous; what it raises ends `run`. synced: set once the first full state has
    been told. connected: whether a watch stands. objects: (namespace, name) → newest message.
    """

    def __init__(
        self,
        client: Client,
        resource: str,
        *,
        on_batch: OnBatch,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        latest_only: bool = False,
    ) -> None:
        self.objects: dict[Key, Any] = {}
        self.synced = asyncio.Event()
        self.connected = False
        self._client = client
        self._resource = resource
        self._on_batch = on_batch
        self._selection = {"namespace": namespace, "labels": labels, "fields": fields}
        self._latest_only = latest_only
        self._revision = 0
        self._listed: dict[Key, Any] | None = None

    async def run(self) -> None:
        """Follow for ever. Only cancellation, or an error of `on_batch`, ends it."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            try:
                await self._watch_once()
            except ApiError as error:
                self._failed(error)
            self.connected = False
            if loop.time() - started_at >= STABLE_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s(random.random()))  # noqa: S311

    async def _watch_once(self) -> None:
        self._listed = {} if self._revision == 0 else None
        batches = self._client.watch(
            self._resource,
            after=self._revision,
            latest_only=self._latest_only,
            **self._selection,
        )
        async with aclosing(batches):  # type: ignore[type-var]
            async for batch in batches:
                self.connected = True
                self._take(batch)

    def _failed(self, error: ApiError) -> None:
        log.info("watch ended", resource=self._resource, reason=error.reason, why=error.message)
        if error.reason is Reason.EXPIRED:
            self._revision = 0

    def _take(self, batch: list[Event]) -> None:
        events = []
        for event in batch:
            if self._listed is not None:
                events += self._listing(event)
            elif event.type is not EventType.BOOKMARK:
                self._remember(event)
                events.append(event)
        if self._listed is None and batch:
            self._revision = batch[-1].revision
        if events:
            self._on_batch(events)
        if self._listed is None:
            self.synced.set()

    def _listing(self, event: Event) -> list[Event]:
        """An event of the first part of a watch: the full state, ended by its bookmark."""
        assert self._listed is not None
        if event.type is not EventType.BOOKMARK:
            self._listed[key_of(event.object)] = event.object
            return []
        events = difference(self.objects, self._listed, event.revision)
        self.objects, self._listed = self._listed, None
        return events

    def _remember(self, event: Event) -> None:
        key = key_of(event.object)
        if event.type is EventType.DELETED:
            self.objects.pop(key, None)
        else:
            self.objects[key] = event.object


def key_of(message: Any) -> Key:
    """(namespace, name) of an object."""
    return message.metadata.namespace, message.metadata.name


def difference(before: dict[Key, Any], after: dict[Key, Any], revision: int) -> list[Event]:
    """The events that lead from one full state to another.

    An object with another uid is told as deleted and added. revision: given to deletions.
    """
    events = []
    for key, old in before.items():
        new = after.get(key)
        if new is None or new.metadata.uid != old.metadata.uid:
            events.append(Event(EventType.DELETED, revision, old))
    for key, new in after.items():
        old = before.get(key)
        changed_at = int(new.metadata.resourceVersion or 0)
        if old is None or old.metadata.uid != new.metadata.uid:
            events.append(Event(EventType.ADDED, changed_at, new))
        elif old.metadata.resourceVersion != new.metadata.resourceVersion:
            events.append(Event(EventType.MODIFIED, changed_at, new))
    return events
