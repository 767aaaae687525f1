"""What the ledger of the core tier knows of elections: one vote, one leader a term (L).

A vote counts from when it leaves the voter; that it was durable then shows when the voter comes
back. A leader must have been elected by those whom the log names at what it has applied: two
majorities of different configurations need not have anybody in common.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.messages import ConfState
from tests.sim.violations import Checker

Accuse = Callable[[Checker, str], None]


class Elections:
    """All votes and leaders of one run."""

    def __init__(self, accuse: Accuse) -> None:
        self._accuse = accuse
        self._votes: dict[tuple[int, int], int] = {}  # by (member, term)
        self._leaders: dict[int, int] = {}  # by term

    def voted(self, member: int, term: int, candidate: int) -> None:
        """A member's vote is on its way."""
        other = self._votes.setdefault((member, term), candidate)
        if other != candidate:
            self._accuse(
                Checker.LEADERS,
                f"member {member} votes for {candidate} in term {term}, after it did for {other}",
            )

    def led(self, member: int, term: int, conf: ConfState, expected: ConfState) -> None:
        """A member leads in a term, elected by the majorities of `conf`; the log says `expected`
        at what it has applied."""
        other = self._leaders.setdefault(term, member)
        if other != member:
            self._accuse(Checker.LEADERS, f"members {other} and {member} both lead in term {term}")
        if conf != expected:
            self._accuse(
                Checker.LEADERS,
                f"member {member} leads in term {term} by the votes of {conf}, "
                f"the log names {expected}: others can elect another",
            )
