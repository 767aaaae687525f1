"""The table of commit ids: what makes a retried commit happen once.

`state` remembers each result under the commit's id, in log order. The newest results can be
repeated; of older ones only the id is kept, and its repeat is answered "unknown outcome", never
tried again. Both parts are bounded and pruned by position, so members that applied the same log
hold the same table. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from holdfast.control.store.commands import Result

RESULTS_MAX = 8_192
"""Ids whose result is kept."""
OUTCOMES_MAX = 65_536
"""Outcomes in all results kept (the newest result is kept whatever its size)."""
SPENT_MAX = 65_536
"""Ids kept without their result, after those."""


class Remembered(NamedTuple):
    """One row of the table. position: 1, 2, … in log order. result None: pruned."""

    position: int
    id: bytes
    result: Result | None


class Retries:
    """Ids in log order: positions spent_from … results_from - 1 lost their result, the rest
    have it. Ids are 16 bytes of the client, longer for the parts of a split batch."""

    def __init__(self, rows: Iterable[Remembered] = (), last: int = 0) -> None:
        self._results: dict[bytes, Result] = {}
        self._spent: dict[bytes, None] = {}
        self._outcomes = 0
        self.last = last  # position of the newest row ever
        for row in rows:
            if row.result is None:
                self._spent[row.id] = None
            else:
                self._results[row.id] = row.result
                self._outcomes += len(row.result.outcomes)

    @property
    def results_from(self) -> int:
        """The first position whose result is kept."""
        return self.last - len(self._results) + 1

    @property
    def spent_from(self) -> int:
        """The first position whose id is kept."""
        return self.results_from - len(self._spent)

    def find(self, commit_id: bytes) -> Result | None:
        """The first result of this id, if it is still kept."""
        return self._results.get(commit_id)

    def spent(self, commit_id: bytes) -> bool:
        """True: this id was seen, its result is gone."""
        return commit_id in self._spent

    def remember(self, commit_id: bytes, result: Result) -> Remembered:
        """Add the result of an id never seen, and prune."""
        self.last += 1
        self._results[commit_id] = result
        self._outcomes += len(result.outcomes)
        while len(self._results) > 1 and (
            len(self._results) > RESULTS_MAX or self._outcomes > OUTCOMES_MAX
        ):
            oldest = next(iter(self._results))
            self._outcomes -= len(self._results.pop(oldest).outcomes)
            self._spent[oldest] = None
        while len(self._spent) > SPENT_MAX:
            del self._spent[next(iter(self._spent))]
        return Remembered(self.last, commit_id, result)
