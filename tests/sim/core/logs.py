"""What the ledger of the core tier knows of the members' logs, applied or not (S).

What two logs hold at one index and term is the same, with the same before it (Raft 5.3, log
matching); a log keeps what its member knows to be committed; and who acknowledges an entry to a
leader has that leader's entry there. An answer of the disk changes nothing of what a log says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.control.raft.messages import Entry
from tests.sim.violations import Checker

Accuse = Callable[[Checker, str], None]


class Logs:
    """Every entry that was ever written in one run."""

    def __init__(self, accuse: Accuse) -> None:
        self._accuse = accuse
        self._written: dict[tuple[int, int], tuple[int, bytes]] = {}  # by (index, term)

    def written(self, member: int, before: int, entries: Sequence[Entry]) -> None:
        """A member writes entries into its log. before: the term in front of the first one."""
        for entry in entries:
            place = before, entry.data
            first = self._written.setdefault((entry.index, entry.term), place)
            if first != place:
                what = "data" if first[0] == before else f"predecessor, of term {before},"
                self._accuse(
                    Checker.SAMENESS,
                    f"member {member} writes index {entry.index} of term {entry.term} with another "
                    f"{what} than the first to write it",
                )
            before = entry.term

    def ends(self, member: int, last: int, commit: int) -> None:
        """A member's log ends at an index, by its own word committed up to another."""
        if last < commit:
            self._accuse(
                Checker.SAMENESS,
                f"member {member} cuts its log off at {last}, committed up to {commit}",
            )

    def answered(self, member: int, index: int, before: int | None, after: int | None) -> None:
        """A member's disk has answered; the member's log reads these terms at an index, before
        and after it was told."""
        if before != after:
            self._accuse(
                Checker.SAMENESS,
                f"member {member} had term {before} at index {index}, "
                f"and has {after} since its disk answered",
            )

    def acknowledged(self, member: int, index: int, term: int, leaders: int) -> None:
        """A member with this term at an index (0: nothing there) acknowledges it to a leader
        whose term there is `leaders`."""
        if term != leaders:
            self._accuse(
                Checker.SAMENESS,
                f"member {member} acknowledges index {index} of term {leaders}, "
                f"its log has term {term} there",
            )
