"""What the members say happened, compared as it happens: S, L and F, and the history of changes.

The first member that applies a revision says what it is; everyone after it must agree, on the
change, on the log entry it stood in, and on the state behind it.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.control.store.commands import Change
from tests.sim.violations import Checker, Violation


class Applied(NamedTuple):
    """A change, where it stood, and the checksum of the state behind its commit."""

    change: Change
    index: int
    term: int
    checksum: int


class Truth:
    """The agreed changes of one run."""

    def __init__(self) -> None:
        self.applied: dict[int, Applied] = {}
        self.violations: list[Violation] = []
        self.leaders: dict[int, int] = {}

    @property
    def revision(self) -> int:
        """The newest revision anybody has applied."""
        return len(self.applied)

    def accuse(self, checker: Checker, sentence: str) -> None:
        """A promise was broken."""
        self.violations.append(Violation(checker, sentence))

    def led(self, member: int, term: int) -> bool:
        """A member says it leads in a term. True: nobody had said so before."""
        other = self.leaders.setdefault(term, member)
        if other != member:
            self.accuse(Checker.LEADERS, f"members {other} and {member} both lead in term {term}")
        return term == max(self.leaders) and other == member

    def told(self, member: int, found: Applied) -> None:
        """A member applied a change."""
        revision = found.change.revision
        first = self.applied.get(revision)
        if first is None:
            if revision != self.revision + 1:
                self.accuse(
                    Checker.SAMENESS,
                    f"member {member} applied revision {revision}, behind {self.revision}",
                )
                return
            self.applied[revision] = found
        elif first != found:
            what = "state" if first.change == found.change else "change"
            self.accuse(
                Checker.SAMENESS,
                f"member {member} has another {what} at revision {revision} (index "
                f"{found.index}, term {found.term}) than was applied before (index "
                f"{first.index}, term {first.term})",
            )
