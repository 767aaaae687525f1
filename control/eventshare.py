"""How many Events may be written: they are told on the side, and must never be half of the writes.

One share for all who tell: nodes' agents, whose writes `rpc` judges, and this control node's own
recorder. It grows by the other changes, and by time so that a quiet cluster tells everything; what
it does not admit is dropped by whoever wanted to write it, and counted there. Pure module.
"""

from __future__ import annotations

from collections.abc import Callable

OTHERS_AN_EVENT = 9
"""So many other writes for one event: while much is written, events are a tenth of all. What a
burst leaves to tell waits (`notes.QUEUE_MAX`) and is told behind it, at the floor."""
FLOOR_PER_S = 200.0
SAVED_MAX = 500.0
"""What a quiet time saves up."""


class EventShare:
    """A bucket of events. changes: how many objects were changed so far, events too; clock:
    seconds. refused: how many were not admitted since the start."""

    def __init__(
        self,
        changes: Callable[[], int],
        clock: Callable[[], float],
        saved: float = SAVED_MAX,
    ) -> None:
        self.refused = 0
        self._changes = changes
        self._clock = clock
        self._saved = saved
        self._seen = changes()
        self._filled_at = clock()

    def take(self, wanted: int, at_least: int = 0) -> int:
        """How many of so many events may be written now; they count as written.

        at_least: of them whatever was written lately, for the few who tell of the whole cluster.
        """
        self._fill()
        granted = min(wanted, max(int(self._saved), at_least))
        self._saved -= granted
        self._seen += granted
        return granted

    def admit(self) -> bool:
        """Whether one event that was sent here may be written."""
        admitted = self.take(1) == 1
        self.refused += not admitted
        return admitted

    def _fill(self) -> None:
        now, changes = self._clock(), self._changes()
        others = max(0, changes - self._seen)
        grown = max(FLOOR_PER_S * (now - self._filled_at), others / OTHERS_AN_EVENT)
        self._saved = min(SAVED_MAX, self._saved + grown)
        # Events granted but not written yet were counted ahead.
        self._seen = max(self._seen, changes)
        self._filled_at = now
