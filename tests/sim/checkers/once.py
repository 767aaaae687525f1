"""O: at most once: however often a commit was asked, each of its values was written one time."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.control.store.commands import Key
from tests.sim.history import History


def check(history: History) -> Iterator[str]:
    """One sentence for every value that was written twice, and every delete too many."""
    first: dict[tuple[Key, bytes], int] = {}
    deletions: dict[Key, int] = {}
    for change in sorted(history.changes):
        if change.key.resource.startswith("~"):
            continue  # the control nodes' own rows
        if change.value is None:
            deletions[change.key] = deletions.get(change.key, 0) + 1
            continue
        place = (change.key, change.value)
        if place in first:
            yield (
                f"{change.value.decode()} was written to {change.key.name} at revision "
                f"{first[place]} and again at {change.revision}"
            )
        first.setdefault(place, change.revision)
    asked: dict[Key, int] = {}
    for operation in history.operations:
        if operation.commit and not operation.failed:
            for write in operation.commit.writes:
                if write.value is None:
                    asked[write.key] = asked.get(write.key, 0) + 1
    for key, count in deletions.items():
        if count > asked.get(key, 0):
            yield f"{key.name} was deleted {count} times, and {asked.get(key, 0)} were asked for"
