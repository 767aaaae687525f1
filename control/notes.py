"""What happened, as notes, and the ledger that decides which become Events.

Whoever has something to tell makes a `Note`; the recorder adds it to the ledger and writes what
the ledger gives out. Repeats count up one Event, an object that says too much is heard less, and
what is too much is dropped and counted. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.objects import events

QUEUE_MAX = 10_000
"""Notes that wait, of some 1 kB each; later ones are dropped."""
BURST = 25
REFILL_S = 300.0
"""Notes an object may say at once about itself from one source, and when it gets one back
(the limits of Kubernetes' event spam filter)."""
BUCKETS_MAX = 4096
WRITTEN_MAX = 4096
"""Events remembered so that a repeat counts up: the newest so many."""


class Note(NamedTuple):
    """Something that happened. about: the object; source: who says it."""

    about: core.ObjectReference
    news: events.News
    source: events.Source


class Bucket(NamedTuple):
    """What one object may still say: tokens at a time."""

    tokens: float
    at: float


class Ledger:
    """Which notes are heard, and which Event each becomes. Time is an argument."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: dict[tuple[str, ...], tuple[Note, int, float]] = {}
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._written: dict[tuple[str, ...], core.Event] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, note: Note, now: float) -> None:
        """Hear a note, join it with its like, or drop it."""
        key = _key(note)
        waiting = self._waiting.get(key)
        if waiting is not None:
            self._waiting[key] = (note, waiting[1] + 1, now)
        elif len(self._waiting) >= QUEUE_MAX or not self._may_speak(note, now):
            self.dropped += 1
        else:
            self._waiting[key] = (note, 1, now)

    def take(self, count: int, suffix: Callable[[], str]) -> list[core.Event]:
        """The next Events to write, oldest note first, as they should be stored.

        One with a count above that of its note repeats an Event written before.
        """
        taken = []
        for key in list(self._waiting)[:count]:
            note, times, now = self._waiting.pop(key)
            known = self._written.pop(key, None)
            event = core.Event()
            if known is not None:
                event.CopyFrom(known)
                events.repeat(event, now, times)
            else:
                event = events.build(note.about, note.news, note.source, now, suffix())
                event.count = times
            self._remember(key, event)
            taken.append(event)
        return taken

    def is_repeat(self, event: core.Event) -> bool:
        """Whether the Event has been written before under its name."""
        return event.HasField("metadata") and bool(event.metadata.uid)

    def settle(self, event: core.Event, uid: str) -> None:
        """The write of an Event is answered. uid: of the stored one; "" = it is not stored."""
        key = events.aggregation_key(event)
        known = self._written.get(key)
        if known is None:
            return
        if uid:
            known.metadata.uid = uid
        else:
            del self._written[key]

    def _remember(self, key: tuple[str, ...], event: core.Event) -> None:
        self._written[key] = event
        if len(self._written) > WRITTEN_MAX:
            del self._written[next(iter(self._written))]

    def _may_speak(self, note: Note, now: float) -> bool:
        key = (*note.source, note.about.uid or note.about.name)
        bucket = self._buckets.pop(key, None) or Bucket(BURST, now)
        tokens = min(BURST, bucket.tokens + (now - bucket.at) / REFILL_S)
        self._buckets[key] = Bucket(tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return tokens >= 1


def _key(note: Note) -> tuple[str, ...]:
    """As events.aggregation_key says of the Event this becomes."""
    about, news, source = note
    return (
        source.component,
        source.node,
        about.kind,
        about.namespace,
        about.name,
        about.uid,
        about.fieldPath,
        news.severity,
        news.reason,
        news.message,
    )
