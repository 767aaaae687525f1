"""Every checker on a good history, and on histories that break the one promise it is there for."""

from __future__ import annotations

import pytest

from holdfast.control.cache.entries import EventType
from holdfast.control.store.commands import ABSENT, ANY, Change, Key, Outcome, Result, Row, Write
from tests.sim.checkers import acknowledged, fence, once, registers, replay, watches
from tests.sim.checkers.histories import K, M, done, good, read, watched, write
from tests.sim.checkers.linearizability import Call, linearizable
from tests.sim.history import History, Page, Seen, origin, token


def test_the_good_history_passes_every_checker() -> None:
    history, _ = watched()
    found = [
        *replay.check(history),
        *registers.check(history),
        *acknowledged.check(history, {1: 4, 2: 4}),
        *once.check(history),
        *fence.check(history, "copies", 3),
        *watches.check(history),
    ]
    assert found == []


def _told_another_revision(history: History) -> None:
    history.operations[2].result = done(3, 4)


def _happened_against_its_compare(history: History) -> None:
    commit = history.operations[2].commit
    assert commit
    history.operations[2].commit = type(commit)(b"", (Write(K, b"3.0", 7), commit.writes[1]))


def _refused_without_reason(history: History) -> None:
    history.operations[3].commit = type(history.operations[3].commit)(  # type: ignore[misc]
        b"", (Write(K, b"4.0", 2),)
    )


def _read_of_another_value(history: History) -> None:
    history.operations[1].rows = [Row(K, b"9.0", 1, 1)]


def _stale_read(history: History) -> None:
    read(history, 20, Row(K, b"3.0", 2, 1), 3)


def _seen_before_it_began(history: History) -> None:
    history.operations[0].invoked = 50.0


def _written_by_nobody(history: History) -> None:
    history.changes.append(Change(5, K, b"77.0", None, 5, 0, 5))


def _commit_in_two_halves(history: History) -> None:
    history.changes[1] = history.changes[1]._replace(end=2)


def _happened_though_it_failed(history: History) -> None:
    operation = write(history, 12, Write(M, b"7.0", ANY))
    operation.failed = True
    history.changes.append(Change(5, M, b"7.0", b"3.1", 3, 3, 5))


@pytest.mark.parametrize(
    "bend",
    [
        _told_another_revision,
        _happened_against_its_compare,
        _refused_without_reason,
        _read_of_another_value,
        _stale_read,
        _seen_before_it_began,
        _written_by_nobody,
        _commit_in_two_halves,
        _happened_though_it_failed,
    ],
)
def test_replay_finds_an_answer_that_does_not_fit(bend: object) -> None:
    history = good()
    bend(history)  # type: ignore[operator]
    assert [*replay.check(history)]


def test_an_unknown_write_may_have_happened_or_not() -> None:
    history = good()
    write(history, 12, Write(M, b"7.0", ANY))
    assert [*replay.check(history)] == []
    history.changes.append(Change(5, M, b"7.0", b"3.1", 3, 3, 5))
    assert [*replay.check(history)] == []
    assert [*registers.check(history)] == []


def test_registers_find_a_read_that_no_order_allows() -> None:
    history = good()
    read(history, 20, Row(K, b"3.0", 2, 1), 4)  # it was deleted before
    assert [*registers.check(history)]


def test_a_lost_or_replaced_write_is_found() -> None:
    history = good()
    assert [*acknowledged.check(history, {1: 4, 2: 3})]
    history.changes[0] = Change(1, M, b"5.0", None, 1, 0, 1)
    assert [*acknowledged.check(history, {1: 4})]


def test_a_write_done_twice_is_found() -> None:
    history = good()
    history.changes.append(Change(5, M, b"3.1", b"3.1", 3, 3, 5))
    assert [*once.check(history)]


def test_a_delete_too_many_is_found() -> None:
    history = good()
    history.changes.append(Change(5, M, None, b"3.1", 3, 3, 5))
    assert [*once.check(history)]


def test_a_decision_of_another_term_is_found() -> None:
    history = good()
    commit = history.operations[0].commit
    assert commit
    history.operations[0].commit = type(commit)(b"", commit.writes, term=1)
    assert [*fence.check(history, "copies", 3)] == []
    history.terms[1] = 2
    assert [*fence.check(history, "copies", 3)]


def test_a_copy_too_many_is_found() -> None:
    history = History()
    for revision in (1, 2, 3):
        key = Key("copies", "", str(revision))
        write(history, revision, Write(key, token(revision, 0), ABSENT), result=done(revision))
        history.changes.append(Change(revision, key, token(revision, 0), None, 1, 0, revision))
    assert [*fence.check(history, "copies", 3)] == []
    assert len([*fence.check(history, "copies", 2)]) == 1


@pytest.mark.parametrize("after", [0, 1])
def test_a_watch_that_tells_all_passes(after: int) -> None:
    history, _ = watched(after)
    assert [*watches.check(history)] == []


def test_a_watch_resumed_inside_a_commit_gets_its_rest() -> None:
    history = good()
    watch = history.connect("things", 2, 1)
    watch.pages.append(Page([Seen(EventType.ADDED, 3, M, b"3.1")], 3))
    assert [*watches.check(history)] == []
    watch.pages[0] = Page([], 3)
    assert [*watches.check(history)]


def _lose(pages: list[Page]) -> None:
    del pages[-2].events[0]


def _repeat(pages: list[Page]) -> None:
    pages[-1].events.append(pages[-1].events[0])


def _swap(pages: list[Page]) -> None:
    pages[-2].events.reverse()


def _tear(pages: list[Page]) -> None:
    whole = pages[-2]
    pages[-2:-1] = [Page(whole.events[:1], 2), Page(whole.events[1:], 3)]


def _overtake(pages: list[Page]) -> None:
    pages.insert(-2, Page([Seen(EventType.BOOKMARK, 3, None, None)], 3))


def _go_back(pages: list[Page]) -> None:
    pages.append(Page([], 2))


@pytest.mark.parametrize("bend", [_lose, _repeat, _swap, _tear, _overtake, _go_back])
def test_a_watch_that_breaks_a_promise_is_found(bend: object) -> None:
    history, watch = watched()
    bend(watch.pages)  # type: ignore[operator]
    assert len([*watches.check(history)]) == 1


def test_too_old_is_an_answer_below_a_floor_only() -> None:
    history = good()
    watch = history.connect("things", 1, 1)
    watch.expired = True
    assert [*watches.check(history)]
    history.floor = 2
    assert [*watches.check(history)] == []


def _register(state: int, what: tuple[str, int]) -> int | None:
    kind, value = what
    if kind == "write":
        return value
    return state if state == value else None


def test_linearizability_of_overlapping_calls() -> None:
    calls = [
        Call(0, 10, ("write", 1)),
        Call(1, 2, ("read", 0)),
        Call(3, 4, ("read", 1)),
    ]
    assert linearizable(calls, 0, _register)
    calls.append(Call(5, 6, ("read", 0)))  # it was 1 already
    assert linearizable(calls, 0, _register) is False


def test_a_call_without_an_answer_may_come_late_or_never() -> None:
    calls = [
        Call(0, None, ("write", 1)),
        Call(1, 2, ("read", 0)),
        Call(3, 4, ("read", 1)),
        Call(5, None, ("write", 2)),
    ]
    assert linearizable(calls, 0, _register)
    calls.append(Call(6, 7, ("read", 3)))
    assert linearizable(calls, 0, _register) is False


def test_tokens_name_their_operation() -> None:
    assert origin(token(12, 3)) == 12
    assert origin(b'{"name":"1.2"}') == 0


def test_outcomes_of_one_commit_are_one_range() -> None:
    history = good()
    history.operations[2].result = Result((Outcome(2), Outcome(4)), 4)
    assert [*replay.check(history)]
