"""A naive twin of the store's state machine: what a commit must do, said once more and slowly.

Shares nothing with `control/store/state` but the words of `commands`. Checkers feed it the
commands in log order and compare; it keeps every result for ever.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.control.store.commands import ABSENT, ANY, Commit, Key, Outcome, Refusal, Write


class Object(NamedTuple):
    """What is at a key."""

    value: bytes
    revision: int
    created: int


class Done(NamedTuple):
    """One change as the model makes it. value None: deleted."""

    revision: int
    key: Key
    value: bytes | None


class Answer(NamedTuple):
    """What a commit must be answered with, and what it must have done. repeat: its id was seen
    before, so it did nothing now."""

    outcomes: tuple[Outcome, ...]
    revision: int
    changes: tuple[Done, ...]
    repeat: bool = False


class Model:
    """The objects now, and the answer to every id."""

    def __init__(self, revision: int = 0) -> None:
        self.objects: dict[Key, Object] = {}
        self.revision = revision
        self._answers: dict[bytes, Answer] = {}

    def apply(self, term: int, commit: Commit) -> Answer:
        """Do one commit of a log entry of this term."""
        if commit.id in self._answers:
            return self._answers[commit.id]._replace(changes=(), repeat=True)
        answer = self._judge(term, commit)
        if commit.id:
            self._answers[commit.id] = answer
        return answer

    def _judge(self, term: int, commit: Commit) -> Answer:
        if commit.term and commit.term != term:
            return self._all(commit, Refusal.TERM)
        if commit.atomic:
            for key, expect in commit.compares:
                found = self._revision(key)
                if expect not in (ANY, found):
                    return self._all(commit, Refusal.COMPARE, found)
            refusals = [self._refusal(write) for write in commit.writes]
            if any(refusals):
                not_done = Outcome(0, Refusal.NOT_DONE)
                return Answer(tuple(one or not_done for one in refusals), self.revision, ())
        outcomes: list[Outcome] = []
        changes: list[Done] = []
        for write in commit.writes:
            refusal = self._refusal(write)
            if refusal is None:
                changes.append(self._do(write))
            outcomes.append(refusal or Outcome(self.revision))
        return Answer(tuple(outcomes), self.revision, tuple(changes))

    def _all(self, commit: Commit, refusal: Refusal, current: int = 0) -> Answer:
        outcomes = tuple(Outcome(0, refusal, current) for _ in commit.writes)
        return Answer(outcomes, self.revision, ())

    def _revision(self, key: Key) -> int:
        found = self.objects.get(key)
        return found.revision if found else 0

    def _refusal(self, write: Write) -> Outcome | None:
        found = self._revision(write.key)
        if write.value is None and not found:
            return Outcome(0, Refusal.MISSING)
        if write.expect in (ANY, found):
            return None
        if not found:
            return Outcome(0, Refusal.MISSING)
        why = Refusal.EXISTS if write.expect == ABSENT else Refusal.STALE
        return Outcome(0, why, found)

    def _do(self, write: Write) -> Done:
        self.revision += 1
        before = self.objects.pop(write.key, None)
        if write.value is not None:
            created = before.created if before else self.revision
            self.objects[write.key] = Object(write.value, self.revision, created)
        return Done(self.revision, write.key, write.value)
