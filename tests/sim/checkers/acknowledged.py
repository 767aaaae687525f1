"""A: no acknowledged write is lost: what was answered is in the history that all end with."""

from __future__ import annotations

from collections.abc import Iterator

from tests.sim.checkers.versions import Versions
from tests.sim.history import History, Kind


def check(history: History, reached: dict[int, int]) -> Iterator[str]:
    """One sentence for every write that is gone. reached: by member, its revision at the end."""
    versions = Versions(history.changes)
    least = min(reached.values(), default=0)
    for operation in history.operations:
        if operation.kind != Kind.WRITE or not operation.result or not operation.commit:
            continue
        for write, outcome in zip(operation.commit.writes, operation.result.outcomes, strict=True):
            revision = outcome.revision
            change = versions.changes.get(revision)
            if revision and (change is None or change[1:3] != (write.key, write.value)):
                yield (
                    f"write {operation.number} was acknowledged at revision {revision}, "
                    "where something else or nothing stands now"
                )
            elif revision > least:
                yield (
                    f"write {operation.number} was acknowledged at revision {revision}, "
                    f"a member ended at {least}"
                )
