"""What happened, told as Events: best effort, never in the way.

Controllers and the scheduler `record` notes; a task writes them each half second. Repeats count
up one Event, an object that says too much is heard less, and all Events together stay a bounded
share of the writes (`eventshare`): never half. What is too much is dropped first, and counted.
Losing a note is allowed, delaying a write is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from holdfast.api import identity
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.notes import Ledger, Note
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.eventshare import EventShare
    from holdfast.control.registry import Registry
    from holdfast.control.registry.ids import Ids

FLUSH_S = 0.5
FLUSH_MIN = 25
"""Events of one flush whatever nodes tell: what concerns the whole cluster is told here."""
FLUSH_MAX = 500

log = structlog.get_logger()


class Recorder:
    """Writes notes as Events. ids: the names' suffixes; clock: Unix seconds."""

    def __init__(
        self, share: EventShare, registry: Registry, clock: Callable[[], float], ids: Ids
    ) -> None:
        self._share = share
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._ledger = Ledger()
        self._identity = identity.of_controller("event-recorder")

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
        count = self._share.take(min(FLUSH_MAX, len(self._ledger)), FLUSH_MIN)
        written = self._ledger.take(count, self._ids.suffix)
        return await self._write(written, term) if written else 0

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
