"""Old revisions: what disk and memory say of them together, and how many are kept.

`Tail` is the changes that are applied and not yet in the image; every engine keeps one. Reads
take it before they ask the image, so what moves between the two meanwhile is seen at least
once, and the newer of two equal answers is the same answer. `Samples` says where the floor may
go: everything younger than KEPT_S stays, so that a paged list or a watch cut for minutes can go
on, but never more than KEPT_MAX changes, so a storm of writes cannot fill the disk. Pure module.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter

from holdfast.control.store.commands import Change, Key, Row

KEPT_S = 300.0
KEPT_MAX = 1_000_000
SAMPLE_S = 10.0
SAMPLES_MAX = int(KEPT_S / SAMPLE_S) + 2
_revision = attrgetter("revision")


class Tail:
    """Changes above `base` (the revision the image holds), in order."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._changes: list[Change] = []

    def add(self, changes: Iterable[Change]) -> None:
        """Newly applied changes."""
        self._changes += changes

    def after(self, revision: int, limit: int) -> list[Change]:
        """Changes above a revision that is not below `base`."""
        start = bisect_right(self._changes, revision, key=_revision)
        return self._changes[start : start + limit]

    def upto(self, revision: int) -> list[Change]:
        """Changes up to a revision: what to write into the image."""
        return self._changes[: bisect_right(self._changes, revision, key=_revision)]

    def saved(self, revision: int) -> None:
        """The image holds everything up to this revision."""
        del self._changes[: bisect_right(self._changes, revision, key=_revision)]
        self.base = revision

    def matching(
        self, resource: str, namespace: str, revision: int, after: Key | None
    ) -> dict[Key, Change]:
        """The newest change up to a revision of each key that a page could hold."""
        return {
            change.key: change
            for change in self._changes
            if change.revision <= revision
            and change.key.resource == resource
            and (not namespace or change.key.namespace == namespace)
            and (after is None or change.key > after)
        }


def overlay(rows: Sequence[Row], newer: dict[Key, Change], limit: int) -> list[Row]:
    """A page of the image with newer changes laid over it, ordered by key.

    rows: asked from the image with limit + len(newer), so that deletions leave enough.
    """
    merged = {row.key: row for row in rows if row.key not in newer}
    for key, change in newer.items():
        if change.value is not None:
            merged[key] = Row(key, change.value, change.revision, change.created)
    return [merged[key] for key in sorted(merged)][:limit]


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
