"""How much history to keep: the policy that says where the floor may go.

The engine samples (time, revision) now and then and asks `floor_wanted`. Everything younger than
KEPT_S stays, so that a paged list or a watch cut for minutes can go on; but never more than
KEPT_MAX changes, so a storm of writes cannot fill the disk. Pure module.
"""

from __future__ import annotations

from collections import deque

KEPT_S = 300.0
KEPT_MAX = 1_000_000
SAMPLE_S = 10.0
SAMPLES_MAX = int(KEPT_S / SAMPLE_S) + 2


class Samples:
    """Revisions by time, one a SAMPLE_S. Empty after a start: all history then looks new."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)

    def add(self, now: float, revision: int) -> None:
        """Note the revision at a time (any clock that only goes forward, seconds)."""
        self._samples.append((now, revision))

    def floor_wanted(self, now: float, revision: int, floor: int) -> int:
        """Where the floor should be, never below `floor`: at the newest revision that was
        already there KEPT_S ago, and at most KEPT_MAX below `revision`."""
        wanted = max(floor, revision - KEPT_MAX)
        for time, old in self._samples:
            if time <= now - KEPT_S:
                wanted = max(wanted, old)
        return wanted
