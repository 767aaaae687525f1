from __future__ import annotations

from holdfast.control.controllers.decisions import Key
from holdfast.control.controllers.work import BACKOFF_MAX_S, Verdict, Work

A, B = Key("ns", "a"), Key("ns", "b")


def drain(work: Work, now: float) -> list[Key]:
    keys = []
    while (key := work.take(now)) is not None:
        keys.append(key)
        work.finish(key, Verdict.DONE, now)
    return keys


def test_keys_wait_in_order_and_once() -> None:
    work = Work()
    for key in (A, B, A):
        work.touch(key, 0.0)
    assert drain(work, 0.0) == [A, B]


def test_a_key_in_flight_comes_back_only_when_touched() -> None:
    work = Work()
    work.touch(A, 0.0)
    assert work.take(0.0) == A
    work.touch(A, 0.0)
    assert work.take(0.0) is None
    work.finish(A, Verdict.DONE, 0.0)
    assert drain(work, 0.0) == [A]
    assert work.take(0.0) is None


def test_the_interval_joins_what_happens_in_it() -> None:
    work = Work(interval_s=1.0)
    work.touch(A, 0.0)
    assert drain(work, 0.0) == [A]
    work.touch(A, 0.2)
    work.touch(A, 0.5)
    assert drain(work, 0.9) == []
    assert work.deadline() == 1.0
    assert drain(work, 1.0) == [A]
    work.touch(A, 5.0)
    assert drain(work, 5.0) == [A]


def test_more_to_do_does_not_wait_for_the_interval() -> None:
    work = Work(interval_s=1.0)
    work.touch(A, 0.0)
    assert work.take(0.0) == A
    work.finish(A, Verdict.DONE, 0.0, again_at=0.0)
    assert work.take(0.0) == A


def test_looks_again_when_asked_or_sooner_when_touched() -> None:
    work = Work()
    work.touch(A, 0.0)
    work.take(0.0)
    work.finish(A, Verdict.DONE, 0.0, again_at=10.0)
    assert work.deadline() == 10.0
    work.touch(A, 3.0)
    assert drain(work, 3.0) == [A]
    assert drain(work, 10.0) == [], "the look at 3 found out anew when to look again"
    assert work.deadline() is None


def test_the_first_conflict_does_not_wait_and_failures_wait_longer_each_time() -> None:
    work = Work()
    work.touch(A, 0.0)
    work.take(0.0)
    work.finish(A, Verdict.CONFLICT, 0.0)
    assert work.take(0.0) == A
    waits, now = [], 0.0
    for _ in range(16):
        work.finish(A, Verdict.FAILED, now)
        work.touch(A, now)
        assert work.take(now) is None
        due = work.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        assert work.take(now) == A
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_MAX_S
    work.finish(A, Verdict.DONE, now)
    work.touch(A, now)
    assert work.take(now) == A


def test_nothing_is_remembered_of_keys_that_rest() -> None:
    work = Work(interval_s=1.0)
    for number in range(100):
        work.touch(Key("ns", str(number)), 0.0)
    drain(work, 0.0)
    work.touch(A, 2.0)
    drain(work, 2.0)
    drain(work, 4.0)
    state = {name: len(value) for name, value in vars(work).items() if hasattr(value, "__len__")}
    assert set(state.values()) == {0}
