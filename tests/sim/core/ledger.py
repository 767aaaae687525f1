"""What the core tier knows to be true: the one log all members must apply, and what was promised.

The first member that applies an index says what stands there; everyone after it must agree, also
on the state behind it, as must the logs (S). Next to that: one leader a term (L); what was
acknowledged was on the disks of a majority, and every later leader has it (A); answers are those
of the model (R); a commit happens once (O) and only in its own term (F).
Every method returns nothing and adds to `violations`; a run ends when there is one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import NamedTuple

from holdfast.control.raft.log.view import LogView
from holdfast.control.raft.messages import ConfState, Entry
from holdfast.control.store.commands import Commit, Refusal
from holdfast.control.store.records import Command
from holdfast.control.store.state import Applied, State
from tests.sim.checkers.model import Model
from tests.sim.core import cuts
from tests.sim.core.elections import Elections
from tests.sim.core.logs import Logs
from tests.sim.violations import Checker, Violation


class Place(NamedTuple):
    """An applied index: what stands there, and the state after it."""

    entry: Entry
    revision: int
    checksum: int
    last_retry: int
    conf: ConfState


class Ledger:
    """The agreed log of one run."""

    def __init__(self, base: int, conf: ConfState) -> None:
        """base: the index before the first entry; conf: the configuration there."""
        self.base = base
        self.places: list[Place] = []
        self.first_conf = conf
        self.confs = [conf]  # all that were in force, in this order
        self.acknowledged = base
        self.violations: list[Violation] = []
        self.elections = Elections(self.accuse)
        self.logs = Logs(self.accuse)
        self._seen_terms: list[int] = []  # by place: the term of the first to apply it, then
        self._confs_from = [base]  # by `confs`: the index from which each is in force
        self._model = Model()
        self._effective: dict[bytes, int] = {}

    @property
    def end(self) -> int:
        """The newest index anybody has applied."""
        return self.base + len(self.places)

    @property
    def conf(self) -> ConfState:
        """The configuration at `end`."""
        return self.places[-1].conf if self.places else self.first_conf

    def conf_at(self, index: int) -> ConfState:
        """The configuration after an applied index."""
        return self.places[index - self.base - 1].conf if index > self.base else self.first_conf

    def revision_at(self, index: int) -> int:
        """The store's revision after an applied index."""
        return self.places[index - self.base - 1].revision if index > self.base else 0

    def accuse(self, checker: Checker, sentence: str) -> None:
        """A promise was broken."""
        self.violations.append(Violation(checker, sentence))

    def led(self, member: int, term: int, log: LogView, conf: ConfState, applied: int) -> None:
        """A member says it leads in a term, with this log, elected by the majorities of this
        configuration; it has applied the log up to an index."""
        self.elections.led(member, term, conf, self.conf_at(applied))
        self._complete(member, term, log)

    def _complete(self, member: int, term: int, log: LogView) -> None:
        """Leaders of later terms have what was acknowledged (Raft 5.4, leader completeness)."""
        index = self.acknowledged
        place = index - self.base - 1
        if place < 0 or term <= self._seen_terms[place] or index < log.first_index():
            return
        if not log.matches(index, self.places[place].entry.term):
            self.accuse(
                Checker.ACKNOWLEDGED,
                f"member {member} leads in term {term} without the acknowledged index {index}",
            )

    def applied(
        self, member: int, term: int, entry: Entry, commands: Sequence[Command], state: State,
        conf: ConfState, results: list[Applied],
    ) -> None:  # fmt: skip
        """A member, being in a term, has applied an entry; this is its state behind it."""
        position = state.position
        place = Place(entry, position.revision, position.checksum, state.retries.last, conf)
        if entry.index > self.end + 1:
            self.accuse(
                Checker.SAMENESS, f"member {member} applied {entry.index} behind {self.end}"
            )
        elif entry.index == self.end + 1:
            self.places.append(place)
            self._seen_terms.append(term)
            if conf != self.confs[-1]:
                self.confs.append(conf)
                self._confs_from.append(entry.index)
            self._judge(entry, commands, results)
        else:
            self._compare(member, place, self.places[entry.index - self.base - 1])

    def _compare(self, member: int, place: Place, first: Place) -> None:
        if place == first:
            return
        index = place.entry.index
        what = "state" if place.entry == first.entry else "entry"
        self.accuse(
            Checker.SAMENESS,
            f"member {member} has another {what} at index {index} than was applied before: "
            f"term {place.entry.term} revision {place.revision}, not term {first.entry.term} "
            f"revision {first.revision}",
        )
        if index <= self.acknowledged:
            self.accuse(
                Checker.ACKNOWLEDGED,
                f"index {index} was replaced though {self.acknowledged} was acknowledged",
            )

    def _judge(self, entry: Entry, commands: Sequence[Command], results: list[Applied]) -> None:
        """What the first to apply an entry made of it, beside the model."""
        commits = [one for one in commands if isinstance(one, Commit)]
        for commit, applied in zip(commits, results, strict=True):
            expected = self._model.apply(entry.term, commit)
            result = applied.result
            if result is None or (result.outcomes, result.revision) != expected[:2]:
                self.accuse(
                    Checker.REPLAY,
                    f"commit {commit.id.hex()} at index {entry.index} was answered {result}, "
                    f"its place in the log says {expected}",
                )
            if applied.changes:
                self._effect(entry, commit)

    def _effect(self, entry: Entry, commit: Commit) -> None:
        if commit.term not in (0, entry.term):
            self.accuse(
                Checker.FENCE,
                f"a commit decided in term {commit.term} took effect in term {entry.term}",
            )
        first = self._effective.setdefault(commit.id, entry.index)
        if commit.id and first != entry.index:
            self.accuse(
                Checker.ONCE,
                f"commit {commit.id.hex()} took effect at index {first} and at {entry.index}",
            )

    def answered(
        self, entry: Entry, floor: int, applied: Applied, holders: Collection[int]
    ) -> None:
        """A client was told that its commit, an applied entry, is done.

        Args:
            entry: the entry.
            floor: what had been acknowledged when the client asked.
            applied: the answer.
            holders: the members that have the entry, or what came of it, on disk.
        """
        index = entry.index
        self.acknowledged = max(self.acknowledged, index)
        refused = applied.result and Refusal.TERM in {o.refusal for o in applied.result.outcomes}
        if index <= floor and not refused:
            self.accuse(
                Checker.REPLAY,
                f"a commit begun after {floor} was acknowledged got the older index {index}",
            )
        # Whoever committed it may not have applied the newest change yet; there is but one such.
        at = bisect_right(self._confs_from, index) - 1
        confs = self.confs[max(0, at - 1) : at + 1]
        if not any(cuts.decides(conf, holders) for conf in confs):
            self.accuse(
                Checker.ACKNOWLEDGED,
                f"index {index} was acknowledged, {[*holders]} have it on disk, no majority",
            )

    def read(self, member: int, floor: int, revision: int) -> None:
        """A linearizable read was answered at a revision. floor: see `answered`."""
        wanted = self.revision_at(floor)
        if revision < wanted:
            self.accuse(
                Checker.REPLAY,
                f"member {member} answered a read at revision {revision}, "
                f"revision {wanted} was acknowledged before it was asked",
            )
