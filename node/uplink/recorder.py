"""Events worth telling users, counted and rate-bounded before they are sent. Pure module.

Best effort: a bucket of tokens per node bounds them, what is least worth telling (an image that
was there already, a container made) goes first, and everything dropped is counted. A repeat is
an update of the first event with a higher count. When the cluster has more events than it takes,
only warnings are told for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import events
from holdfast.node.machine.instructions import Record

COMPONENT = "holdfast-node"
BURST = 10.0
REFILL_PER_S = 1.0
REMEMBERED_MAX = 64
WAITING_MAX = 100
_SEVERITIES = {str(severity): severity for severity in events.Severity}
_CHEAP_FLOOR = 8.0
_CHEAP = frozenset({"Created", "Pulled"})
"""Reasons that are told only while the bucket is nearly full: a node that starts one pod tells its
whole story, one that starts many tells of each that it started."""


class _Told(NamedTuple):
    """An event that waits. name, times and first (Unix seconds): of the Event it becomes, or
    repeats."""

    involved: core.ObjectReference
    news: Record
    now: float
    name: str
    times: int
    first: int
    again: bool


class Recorder:
    """Collects one node's events; `take` hands them over."""

    def __init__(self, node_name: str) -> None:
        self.dropped = 0
        self._source = events.Source(COMPONENT, node_name)
        self._tokens = BURST
        self._filled_at = 0.0
        self._number = 0
        self._seen: OrderedDict[tuple[str, ...], tuple[str, int, int]] = OrderedDict()
        self._quiet_until = 0.0
        self._waiting: OrderedDict[str, _Told] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def record(self, involved: core.ObjectReference, news: Record, now: float) -> bool:
        """Take one event. involved: without a fieldPath, which `news.container` gives.

        Returns False when it was dropped.
        """
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * REFILL_PER_S)
        self._filled_at = now
        normal = news.type == "Normal"
        floor = _CHEAP_FLOOR if normal and news.reason in _CHEAP else 1.0
        quiet = normal and now < self._quiet_until
        if quiet or self._tokens < floor or len(self._waiting) >= WAITING_MAX:
            self.dropped += 1
            return False
        self._tokens -= 1.0
        self._add(involved, news, now)
        return True

    def refused(self, now: float, quiet_s: float) -> None:
        """One was sent and not taken. quiet_s: so long nothing but warnings is wanted."""
        self.dropped += 1
        self._quiet_until = max(self._quiet_until, now + quiet_s)

    def _add(self, involved: core.ObjectReference, news: Record, now: float) -> None:
        key = (involved.uid, news.container, news.reason, news.message)
        known = self._seen.get(key)
        if known is None:
            self._number += 1
            suffix = f"{int(now * 1e6):x}{self._number:x}"
            known = (events.name(involved.name, suffix), 0, int(now))
        name, count, first = known
        unsent = self._waiting.get(name)
        again = count > 0 if unsent is None else unsent.again
        self._seen[key] = (name, count + 1, first)
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)
        self._waiting[name] = _Told(involved, news, now, name, count + 1, first, again)

    def take(self) -> list[tuple[core.Event, bool]]:
        """Everything that waits, and of each whether it repeats one that was sent before. It is
        handed over: sent or lost."""
        taken = [(self._event(told), told.again) for told in self._waiting.values()]
        self._waiting.clear()
        return taken

    def _event(self, told: _Told) -> core.Event:
        news = told.news
        severity = _SEVERITIES[news.type]
        said = events.News(severity, news.reason, news.message)
        event = events.build(told.involved, said, self._source, told.now, "")
        if news.container:
            event.involvedObject.fieldPath = f"spec.containers{{{news.container}}}"
        event.metadata.name = told.name
        event.count = told.times
        event.firstTimestamp.seconds = told.first
        return event
