"""What happened, told as Events: best effort, never in the way.

Controllers and the scheduler `record` notes; a task writes them each half second. Repeats count
up one Event, an object that says too much is heard less, and all Events together stay a bounded
share of the writes: never half. What is too much is dropped first, and counted. Losing a note
is allowed, delaying a write is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from holdfast.api import identity
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.objects import events
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Cache
    from holdfast.control.registry import Registry
    from holdfast.control.registry.ids import Ids

FLUSH_S = 0.5
QUEUE_MAX = 2000
"""Notes that wait; later ones are dropped."""
FLUSH_MIN = 25
"""Events of one flush that an idle cluster may always write: 50 a second."""
FLUSH_MAX = 500
SHARE = 4
"""At most one event for so many other changes: a fifth of all writes."""
BURST = 25
REFILL_S = 300.0
"""Notes an object may say at once about itself from one source, and when it gets one back
(the limits of Kubernetes' event spam filter)."""
BUCKETS_MAX = 4096
WRITTEN_MAX = 4096
"""Events remembered so that a repeat counts up: the newest so many."""

log = structlog.get_logger()


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
    """Which notes are heard, and which Event each becomes. Pure: time is an argument."""

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


class Recorder:
    """Writes notes as Events. ids: the names' suffixes; clock: Unix seconds."""

    def __init__(
        self, cache: Cache, registry: Registry, clock: Callable[[], float], ids: Ids
    ) -> None:
        self._cache = cache
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._ledger = Ledger()
        self._identity = identity.of_controller("event-recorder")
        self._revision = cache.revision

    @property
    def dropped(self) -> int:
        """Notes dropped since the start, for /metrics."""
        return self._ledger.dropped

    @property
    def waiting(self) -> int:
        """Notes not written yet, for /metrics."""
        return len(self._ledger)

    def record(self, note: Note) -> None:
        """Tell something. Never waits and never fails."""
        self._ledger.add(note, self._clock())

    async def run(self, term: int = 0) -> None:
        """Write notes until cancelled. term: as in Runner.run."""
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush(term)
            except Exception:
                log.exception("events not written")

    async def flush(self, term: int = 0) -> int:
        """Write what waits, within the share. Returns how many were written."""
        others = self._cache.revision - self._revision
        count = min(FLUSH_MAX, max(FLUSH_MIN, others // SHARE))
        written = self._ledger.take(count, self._ids.suffix)
        done = await self._write(written, term) if written else 0
        self._revision = self._cache.revision
        return done

    async def _write(self, found: Sequence[core.Event], term: int) -> int:
        intents = [self._intent(event) for event in found]
        answers = await self._registry.commit(intents, self._identity, term=term)
        done = 0
        for event, answer in zip(found, answers, strict=True):
            refused = isinstance(answer, ApiError)
            entry = None if isinstance(answer, ApiError) else answer.entry
            self._ledger.settle(event, entry.message.metadata.uid if entry else "")
            done += not refused
            if isinstance(answer, ApiError) and answer.reason not in (
                Reason.NOT_FOUND, Reason.CONFLICT, Reason.FORBIDDEN
            ):  # expired meanwhile, or its namespace is going  # fmt: skip
                log.warning("event refused", reason=answer.reason, message=answer.message)
        return done

    def _intent(self, event: core.Event) -> Intent:
        verb = Verb.UPDATE if self._ledger.is_repeat(event) else Verb.CREATE
        meta = event.metadata
        return Intent(verb, "events", meta.namespace, meta.name, message=event)


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
