"""What every engine promises, as one suite: a test module makes a class of it with an `engine`.

    class TestRaftEngine(Conformance):
        @pytest.fixture
        async def engine(self, tmp_path): ...

The fixture yields a started, empty engine whose listeners were added before (`told` of the
engine under test) and stops it at the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.control.store.commands import (
    ABSENT,
    ANY,
    ATOMIC_BYTES_MAX,
    ATOMIC_WRITES_MAX,
    Change,
    Commit,
    Compare,
    Key,
    Refusal,
    Write,
)
from holdfast.control.store.engine import PART_WRITES_MAX, Engine, ExpiredError, StoreError

PODS = "pods"


def key(name: str, namespace: str = "default", resource: str = PODS) -> Key:
    return Key(resource, namespace, name)


def put(name: str, value: bytes = b"v", expect: int = ANY, **where: str) -> Write:
    return Write(key(name, **where), value, expect)


def drop(name: str, expect: int = ANY) -> Write:
    return Write(key(name), None, expect)


def batch(*writes: Write, commit_id: bytes = b"", term: int = 0) -> Commit:
    return Commit(commit_id, writes, term=term)


def atomic(*writes: Write, compares: tuple[Compare, ...] = (), commit_id: bytes = b"") -> Commit:
    return Commit(commit_id, writes, compares, atomic=True)


class Told:
    """A listener that keeps what it was told, commit by commit."""

    def __init__(self) -> None:
        self.commits: list[list[Change]] = []

    def __call__(self, changes: Any) -> None:
        self.commits.append(list(changes))

    @property
    def changes(self) -> list[Change]:
        return [change for commit in self.commits for change in commit]


class Conformance:
    """The suite. Every test takes the fixtures `engine` and `told`."""

    async def test_each_change_has_its_own_revision(self, engine: Engine, told: Told) -> None:
        first = await engine.commit(batch(put("a"), put("b")))
        second = await engine.commit(batch(drop("a"), put("b", b"w")))
        revisions = [one.revision for one in (*first.outcomes, *second.outcomes)]
        assert revisions == sorted(set(revisions))
        assert [one.revision for one in told.changes] == revisions
        assert second.revision == engine.revision == revisions[-1]

    async def test_listeners_hear_a_commit_whole_before_it_returns(
        self, engine: Engine, told: Told
    ) -> None:
        result = await engine.commit(atomic(put("a"), put("b"), put("c")))
        (commit,) = told.commits
        assert [change.revision for change in commit] == [one.revision for one in result.outcomes]
        assert {change.end for change in commit} == {result.revision}

    async def test_a_change_says_what_was_there(self, engine: Engine, told: Told) -> None:
        (made,), _ = await engine.commit(batch(put("a", b"one")))
        (changed,), _ = await engine.commit(batch(put("a", b"two")))
        (gone,), _ = await engine.commit(batch(drop("a")))
        assert [tuple(change)[2:6] for change in told.changes] == [
            (b"one", None, made.revision, 0),
            (b"two", b"one", made.revision, made.revision),
            (None, b"two", made.revision, changed.revision),
        ]
        assert gone.revision > changed.revision

    @pytest.mark.parametrize(
        ("there", "write", "refusal"),
        [
            (True, put("a", expect=ABSENT), Refusal.EXISTS),
            (True, put("a", expect=10**9), Refusal.STALE),
            (True, drop("a", expect=10**9), Refusal.STALE),
            (False, put("a", expect=7), Refusal.MISSING),
            (False, drop("a"), Refusal.MISSING),
            (False, drop("a", expect=7), Refusal.MISSING),
        ],
    )
    async def test_preconditions(
        self, engine: Engine, there: bool, write: Write, refusal: Refusal
    ) -> None:
        if there:
            await engine.commit(batch(put("a")))
        revision = engine.revision
        ((outcome,), after) = await engine.commit(batch(write))
        assert outcome == (0, refusal, revision if there else 0)
        assert after == engine.revision == revision

    async def test_a_batch_judges_each_write_alone(self, engine: Engine) -> None:
        result = await engine.commit(batch(put("a"), put("b", expect=99), put("c")))
        assert [one.refusal for one in result.outcomes] == [None, Refusal.MISSING, None]
        assert [row.key.name for row in engine.rows(PODS)] == ["a", "c"]

    async def test_an_atomic_commit_happens_whole_or_not(self, engine: Engine, told: Told) -> None:
        result = await engine.commit(atomic(put("a"), put("b", expect=99)))
        assert [one.refusal for one in result.outcomes] == [Refusal.NOT_DONE, Refusal.MISSING]
        assert engine.rows(PODS) == []
        assert told.commits == []

    async def test_a_compared_key_must_be_as_expected(self, engine: Engine) -> None:
        ((made,), _) = await engine.commit(batch(put("gate")))
        for expect, refused in ((made.revision, False), (ABSENT, True), (10**9, True)):
            compare = Compare(key("gate"), expect)
            ((outcome,), _) = await engine.commit(atomic(put("a"), compares=(compare,)))
            assert (outcome.refusal == Refusal.COMPARE) == refused
        absent = Compare(key("nothing"), ABSENT)
        ((outcome,), _) = await engine.commit(atomic(put("b"), compares=(absent,)))
        assert outcome.refusal is None

    @pytest.mark.parametrize(
        "commit",
        [
            atomic(*(put(str(n)) for n in range(ATOMIC_WRITES_MAX + 1))),
            atomic(put("a"), put("a")),
            atomic(put("a"), compares=(Compare(key("a"), ANY),)),
            atomic(put("a", bytes(ATOMIC_BYTES_MAX))),
            atomic(put("a"), compares=tuple(Compare(key(str(n)), ANY) for n in range(21))),
        ],
        ids=["writes", "twice", "compared", "bytes", "compares"],
    )
    async def test_limits_of_atomic_commits(self, engine: Engine, commit: Commit) -> None:
        result = await engine.commit(commit)
        assert {one.refusal for one in result.outcomes} == {Refusal.LIMIT}
        assert engine.rows(PODS) == []

    async def test_a_large_batch_is_done_in_order(self, engine: Engine, told: Told) -> None:
        count = 3 * PART_WRITES_MAX + 7
        result = await engine.commit(batch(*(put(f"{n:05}") for n in range(count))))
        revisions = [one.revision for one in result.outcomes]
        assert revisions == sorted(set(revisions))
        assert result.revision == revisions[-1]
        assert max(map(len, told.commits)) <= PART_WRITES_MAX
        assert len(engine.rows(PODS)) == count

    async def test_a_repeat_gets_the_first_result(self, engine: Engine, told: Told) -> None:
        commit = batch(put("a", expect=ABSENT), drop("b"), commit_id=b"0123456789abcdef")
        first = await engine.commit(commit)
        await engine.commit(batch(drop("a")))
        assert await engine.commit(commit) == first
        assert engine.row(key("a")) is None
        assert len(told.commits) == 2

    async def test_a_repeated_large_batch_happens_once(self, engine: Engine) -> None:
        writes = [put(f"{n:05}", expect=ABSENT) for n in range(2 * PART_WRITES_MAX)]
        first = await engine.commit(batch(*writes, commit_id=b"0123456789abcdef"))
        revision = engine.revision
        again = await engine.commit(batch(*writes, commit_id=b"0123456789abcdef"))
        assert again.outcomes == first.outcomes
        assert engine.revision == revision

    async def test_a_commit_of_another_term_is_refused(self, engine: Engine) -> None:
        term = engine.status().term
        ((old, other), _) = await engine.commit(batch(put("a"), put("b"), term=term + 1))
        assert old.refusal == other.refusal == Refusal.TERM
        ((now,), _) = await engine.commit(batch(put("a"), term=term))
        assert now.refusal is None

    async def test_rows_are_ordered_and_complete(self, engine: Engine) -> None:
        names = [("b", "x"), ("a", "y"), ("a", "x"), ("c", "")]
        result = await engine.commit(batch(*(put(name, namespace=space) for space, name in names)))
        await engine.commit(batch(put("x", resource="services")))
        assert [row.key[1:] for row in engine.rows(PODS)] == sorted(names)
        row = engine.row(key("x", "a"))
        assert row is not None
        revision = result.outcomes[2].revision
        assert (row.value, row.revision, row.created) == (b"v", revision, revision)

    async def test_a_barrier_covers_what_was_acknowledged(self, engine: Engine) -> None:
        result = await engine.commit(batch(put("a")))
        assert await engine.barrier() >= result.revision

    async def test_history_is_what_the_listeners_heard(self, engine: Engine, told: Told) -> None:
        for n in range(5):
            await engine.commit(batch(put("a", b"%d" % n), put(f"n{n}")))
            await engine.commit(batch(drop(f"n{n}")))
        for pause in (0.0, 0.1):  # before and after the rows are in the image
            await asyncio.sleep(pause)
            found: list[Change] = []
            while page := await engine.history(found[-1].revision if found else 0, 4):
                assert len(page) <= 4
                found += page
            assert found == told.changes
            revisions = {change.revision for change in told.changes}
            for after in sorted({0, *revisions, *(revision - 1 for revision in revisions)}):
                expected = [change for change in told.changes if change.revision > after]
                assert await engine.history(after, 1000) == expected

    async def test_a_page_stays_at_its_revision(self, engine: Engine) -> None:
        states = {}
        for n in range(6):
            await engine.commit(batch(put(f"a{n}"), put("b", b"%d" % n), put("c", namespace="o")))
            if n % 2:
                await engine.commit(batch(drop(f"a{n - 1}")))
            states[engine.revision] = engine.rows(PODS)
        for pause in (0.0, 0.1):
            await asyncio.sleep(pause)
            for revision, rows in states.items():
                assert await engine.page(PODS, "", revision, None, 100) == rows
                assert await _paged(engine, "", revision) == rows
                own = [row for row in rows if row.key.namespace == "default"]
                assert await _paged(engine, "default", revision) == own

    async def test_below_the_floor_is_expired(self, engine: Engine, told: Told) -> None:
        for n in range(10):
            await engine.commit(batch(put("a", b"%d" % n), put(f"n{n}")))
            await engine.commit(batch(drop(f"n{n}")))
        floor = engine.revision - 6
        state = await engine.page(PODS, "", floor, None, 100)
        await engine.compact(floor)
        assert engine.status().floor == floor
        await asyncio.sleep(0.1)
        with pytest.raises(ExpiredError, match=str(floor)):
            await engine.history(floor - 1, 10)
        with pytest.raises(ExpiredError):
            await engine.page(PODS, "", floor - 1, None, 10)
        expected = [change for change in told.changes if change.revision > floor]
        assert await engine.history(floor, 100) == expected
        assert await engine.page(PODS, "", floor, None, 100) == state
        assert await engine.page(PODS, "", engine.revision, None, 100) == engine.rows(PODS)

    async def test_the_floor_never_falls_or_passes_the_revision(self, engine: Engine) -> None:
        await engine.commit(batch(put("a"), put("b")))
        await engine.compact(1)
        await engine.compact(0)
        assert engine.status().floor == 1
        await engine.compact(10**6)
        assert engine.status().floor == engine.revision

    async def test_a_page_of_the_future_is_refused(self, engine: Engine) -> None:
        with pytest.raises(StoreError, match="not reached"):
            await engine.page(PODS, "", engine.revision + 1, None, 10)

    async def test_many_writers_at_once(self, engine: Engine, told: Told) -> None:
        async def count_up(name: str) -> None:
            revision = ABSENT
            for n in range(20):
                ((outcome,), _) = await engine.commit(batch(put(name, b"%d" % n, revision)))
                assert outcome.refusal is None
                revision = outcome.revision

        await asyncio.gather(*(count_up(f"w{n}") for n in range(20)))
        revisions = [change.revision for change in told.changes]
        assert revisions == sorted(set(revisions))
        assert len(revisions) == 400
        assert {row.value for row in engine.rows(PODS)} == {b"19"}

    async def test_a_cancelled_commit_leaves_the_engine_whole(self, engine: Engine) -> None:
        task = asyncio.create_task(engine.commit(batch(put("a"))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ((outcome,), _) = await engine.commit(batch(put("b")))
        assert outcome.refusal is None

    async def test_after_stop_commits_are_refused(self, engine: Engine) -> None:
        await engine.stop()
        with pytest.raises(StoreError):
            await engine.commit(batch(put("a")))
        await engine.stop()


async def _paged(engine: Engine, namespace: str, revision: int) -> list[Any]:
    found: list[Any] = []
    while page := await engine.page(PODS, namespace, revision, found[-1].key if found else None, 2):
        assert len(page) <= 2
        found += page
    return found
