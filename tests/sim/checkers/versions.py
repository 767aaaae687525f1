"""Every key's values over revisions, from the changes that members applied."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter

from holdfast.control.store.commands import Change, Key, Row

_revision = attrgetter("revision")


class Versions:
    """Look-ups by key and revision."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changes: dict[int, Change] = {change.revision: change for change in changes}
        self._by_key: dict[Key, list[Change]] = {}
        for revision in sorted(self.changes):
            change = self.changes[revision]
            self._by_key.setdefault(change.key, []).append(change)
        self.newest = max(self.changes, default=0)

    def at(self, key: Key, revision: int) -> Row | None:
        """What was at a key after a revision."""
        history = self._by_key.get(key, [])
        place = bisect_right(history, revision, key=_revision)
        if not place or history[place - 1].value is None:
            return None
        change = history[place - 1]
        assert change.value is not None
        return Row(key, change.value, change.revision, change.created)

    def all_at(self, resource: str, revision: int) -> list[Row]:
        """Every object of a resource after a revision, ordered by key."""
        found = [self.at(key, revision) for key in sorted(self._by_key) if key[0] == resource]
        return [row for row in found if row]

    def between(self, resource: str, after: int, upto: int) -> list[Change]:
        """The changes of a resource in (after, upto], in order."""
        changes = self.changes
        return [
            changes[revision]
            for revision in range(after + 1, upto + 1)
            if revision in changes and changes[revision].key.resource == resource
        ]
