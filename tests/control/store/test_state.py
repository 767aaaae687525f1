"""The state machine against a naive model: random commits, every answer and every state."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.control.store.batches.columns import FEWEST
from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    Change,
    Commit,
    Compare,
    Key,
    Refusal,
    Write,
)
from holdfast.control.store.retries import Retries
from holdfast.control.store.state import Applied, State

NAMES = ("a", "b", "c")
keys = st.sampled_from([Key(kind, "", name) for kind in ("pods", "nodes") for name in NAMES])
values = st.none() | st.binary(max_size=3)
expects = st.sampled_from((ANY, ABSENT)) | st.integers(1, 12)
writes = st.lists(st.builds(Write, keys, values, expects), max_size=5)
many = st.lists(
    st.builds(
        lambda namespace, name, value, expect: Write(Key("pods", namespace, name), value, expect),
        st.sampled_from(("x", "y")),
        st.text("abc", max_size=6),
        st.binary(max_size=3),
        st.sampled_from((ANY, ABSENT)),
    ),
    min_size=FEWEST,
    max_size=3 * FEWEST,
)
compares = st.lists(st.builds(Compare, keys, expects), max_size=2)


class Model:
    """The rules once more, as plainly as they can be said."""

    def __init__(self) -> None:
        self.objects: dict[Key, tuple[bytes, int]] = {}
        self.revision = 0

    def refuse(self, write: Write) -> Refusal | None:
        if write.key not in self.objects:
            deletes_or_expects = write.value is None or write.expect > 0
            return Refusal.MISSING if deletes_or_expects else None
        if write.expect == ABSENT:
            return Refusal.EXISTS
        fits = write.expect in (ANY, self.objects[write.key][1])
        return None if fits else Refusal.STALE

    def make(self, write: Write) -> None:
        self.revision += 1
        if write.value is None:
            del self.objects[write.key]
        else:
            self.objects[write.key] = (write.value, self.revision)

    def batch(self, batch: list[Write]) -> list[Refusal | None]:
        answers = []
        for write in batch:
            answers.append(self.refuse(write))
            if answers[-1] is None:
                self.make(write)
        return answers

    def atomic(self, batch: list[Write], compares: list[Compare]) -> list[Refusal | None]:
        named = [one.key for one in batch] + [one.key for one in compares]
        if len(set(named)) < len(named):
            return [Refusal.LIMIT] * len(batch)
        for compare in compares:
            if compare.expect not in (ANY, self.objects.get(compare.key, (b"", 0))[1]):
                return [Refusal.COMPARE] * len(batch)
        answers = [self.refuse(write) for write in batch]
        if any(answers):
            return [answer or Refusal.NOT_DONE for answer in answers]
        for write in batch:
            self.make(write)
        return answers


class StateAgainstModel(RuleBasedStateMachine):
    """Random commits on both; the changes told must rebuild the state."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.model = State(), Model()
        self.rebuilt: dict[Key, Change] = {}
        self.ids = 0

    def applied(self, commit: Commit) -> Applied:
        before = self.state.position.revision
        applied = self.state.apply(1, commit)
        assert applied.result is None or applied.result.revision == self.state.position.revision
        if applied.remembered or not commit.id:
            assert applied.result is not None
            told = [one.revision for one in applied.result.outcomes if one.refusal is None]
            assert told == [change.revision for change in applied.changes]
        revisions = [change.revision for change in applied.changes]
        assert revisions == list(range(before + 1, before + 1 + len(revisions)))
        assert {change.end for change in applied.changes} <= {self.state.position.revision}
        for change in applied.changes:
            old = self.rebuilt.pop(change.key, None)
            assert change.previous == (old.value if old else None)
            assert change.replaced == (old.revision if old else 0)
            if change.value is not None:
                self.rebuilt[change.key] = change
        return applied

    @rule(batch=writes, repeat=st.booleans())
    def commit_a_batch(self, batch: list[Write], repeat: bool) -> None:
        self.ids += 1
        commit = Commit(b"%d" % self.ids, batch)
        result = self.applied(commit).result
        assert result is not None
        assert [one.refusal for one in result.outcomes] == self.model.batch(batch)
        if repeat:
            assert self.applied(commit) == (result, (), None)

    @rule(batch=many, also=writes)
    def commit_many(self, batch: list[Write], also: list[Write]) -> None:
        once = list({one.key: one for one in batch}.values())
        for some in (once, batch, batch + also):
            result = self.applied(Commit(b"", some)).result
            assert result is not None
            assert [one.refusal for one in result.outcomes] == self.model.batch(some)

    @rule(batch=writes, compared=compares)
    def commit_at_once(self, batch: list[Write], compared: list[Compare]) -> None:
        result = self.applied(Commit(b"", batch, compared, atomic=True)).result
        assert result is not None
        assert [one.refusal for one in result.outcomes] == self.model.atomic(batch, compared)

    @rule(batch=writes)
    def commit_in_another_term(self, batch: list[Write]) -> None:
        applied = self.applied(Commit(b"", batch, term=2))
        assert applied.result is not None
        assert {one.refusal for one in applied.result.outcomes} <= {Refusal.TERM}

    @rule(floor=st.integers(0, 40))
    def compact(self, floor: int) -> None:
        before = self.state.position.floor
        self.state.compact(floor)
        assert before <= self.state.position.floor <= self.state.position.revision

    @invariant()
    def same_objects(self) -> None:
        rows = {row.key: (row.value, row.revision) for row in self.state.all_rows()}
        assert rows == self.model.objects
        assert self.state.position.revision == self.model.revision
        assert {key: change.value for key, change in self.rebuilt.items()} == {
            key: value for key, (value, _) in rows.items()
        }

    @invariant()
    def checksum_is_that_of_the_rows(self) -> None:
        loaded = State()
        loaded.load(self.state.all_rows())
        assert loaded.position.checksum == self.state.position.checksum


TestStateAgainstModel = StateAgainstModel.TestCase
TestStateAgainstModel.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_a_checksum_tells_states_apart() -> None:
    one, two = State(), State()
    for state, value in ((one, b"1"), (two, b"2")):
        state.apply(1, Commit(b"", [Write(Key("pods", "", "a"), value, ANY)]))
    assert one.position.checksum != two.position.checksum
    one.apply(1, Commit(b"", [Write(Key("pods", "", "a"), None, ANY)]))
    assert one.position.checksum == State().position.checksum


def test_the_same_log_gives_the_same_table_of_ids() -> None:
    states = State(Retries()), State(Retries())
    for state in states:
        for n in range(20):
            state.apply(1, Commit(b"%d" % n, [Write(Key("pods", "", "a"), b"", ANY)]))
    one, two = (state.retries for state in states)
    assert (one.last, one.results_from, one.spent_from) == (two.last, two.results_from, 1)


def test_many_at_once_are_as_one_by_one() -> None:
    writes = [Write(Key("pods", f"{n % 2}", f"{n}é"), b"%d" % n, ANY) for n in range(FEWEST)]
    one, two = State(), State()
    together = one.apply(1, Commit(b"", writes))
    alone = [two.apply(1, Commit(b"", [write])).changes[0] for write in writes]
    assert [change._replace(end=change.revision) for change in together.changes] == alone
    assert sorted(one.all_rows()) == sorted(two.all_rows())
    assert one.position == two.position
