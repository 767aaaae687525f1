"""The end of Events: they are kept for an hour after they last happened, then deleted in bulk.

What is due is known from a queue in order of time, so nothing is scanned; a repeated event is
queued again, and its older place is passed over. Pure module.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.control.controllers.decisions import WRITES_MAX, Decision, Key, Order, Trigger, View
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.control.cache import Update

RESOURCE = "events"
KEPT_S = 3600.0
ROUND_S = 10.0
"""Events of so long a time go together."""
EVERY = Key("", "events")
"""The one key: all events are looked at together."""


class EventExpiry:
    """The controller. kept_s: how long an event lives after it last happened."""

    name = "event-expiry"
    interval_s = ROUND_S

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._due: list[tuple[float, str, str]] = []  # heap: when, namespace, name
        self._latest: dict[tuple[str, str], float] = {}  # the place of each that counts
        self.triggers: Mapping[str, Trigger] = {RESOURCE: self._heard}

    def reconcile(self, view: View, key: Key, now: float) -> Decision:  # noqa: ARG002
        """Delete what is due."""
        orders: list[Order] = []
        while self._due and self._due[0][0] <= now and len(orders) < WRITES_MAX:
            when, namespace, name = heapq.heappop(self._due)
            entry = view.get(RESOURCE, namespace, name)
            if self._latest.get((namespace, name)) != when or entry is None:
                continue
            uid = entry.message.metadata.uid
            orders.append(Order(Intent(Verb.DELETE, RESOURCE, namespace, name, uid=uid)))
            retry = now + ROUND_S  # should the delete be refused
            self._queue(namespace, name, retry)
        if len(orders) == WRITES_MAX:
            return Decision(orders, now)
        return Decision(orders, self._due[0][0] + ROUND_S if self._due else None)

    def _heard(self, _view: View, update: Update) -> Iterable[Key]:
        entry = update.new or update.old
        if entry is None:
            return ()
        place = (entry.key.namespace, entry.key.name)
        if update.new is None:
            self._latest.pop(place, None)
            return ()
        idle = not self._due
        self._queue(*place, last_seen(update.new.message) + self._kept_s)
        return (EVERY,) if idle else ()

    def _queue(self, namespace: str, name: str, when: float) -> None:
        self._latest[namespace, name] = when
        heapq.heappush(self._due, (when, namespace, name))


def last_seen(event: core.Event) -> float:
    """When the event last happened, Unix seconds; its creation when it does not say."""
    seconds = max(
        event.lastTimestamp.seconds,
        event.series.lastObservedTime.seconds,
        event.eventTime.seconds,
        event.firstTimestamp.seconds,
    )
    return float(seconds or event.metadata.creationTimestamp.seconds)
