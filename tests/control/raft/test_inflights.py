"""The window of sent appends: tables, and against a plain list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.control.raft.inflights import Inflights


def test_full_by_messages() -> None:
    window = Inflights(2)
    window.add(1, 100)
    assert not window.full()
    window.add(2, 100)
    assert window.full()
    window.free_le(1)
    assert (window.count(), window.bytes(), window.full()) == (1, 100, False)


@pytest.mark.parametrize(
    ("sizes", "full"),
    [([], False), ([9], False), ([10], True), ([99], True), ([5, 4], False), ([5, 5], True)],
)
def test_full_by_bytes_and_one_message_may_pass_the_limit(sizes: list[int], full: bool) -> None:
    window = Inflights(10, max_bytes=10)
    for index, size in enumerate(sizes):
        assert not window.full()
        window.add(index, size)
    assert window.full() is full


def test_nothing_is_added_to_a_full_window() -> None:
    window = Inflights(1)
    window.add(1, 0)
    with pytest.raises(AssertionError):
        window.add(2, 0)


def test_freeing_is_up_to_and_with_the_index() -> None:
    window = Inflights(10)
    for index in (5, 7, 9):
        window.add(index, 1)
    window.free_le(4)
    assert window.count() == 3
    window.free_le(8)
    assert window.count() == 1
    window.free_le(9)
    assert (window.count(), window.bytes()) == (0, 0)


def test_reset_forgets_all() -> None:
    window = Inflights(1, 1)
    window.add(1, 5)
    window.reset()
    assert (window.count(), window.bytes(), window.full()) == (0, 0, False)


def test_a_clone_shares_nothing() -> None:
    window = Inflights(3, 30)
    window.add(1, 10)
    twin = window.clone()
    twin.add(2, 10)
    window.free_le(1)
    assert (window.count(), window.bytes()) == (0, 0)
    assert (twin.count(), twin.bytes(), twin.size, twin.max_bytes) == (2, 20, 3, 30)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 9)),
        st.tuples(st.just("free"), st.integers(-3, 3), st.just(0)),
        st.tuples(st.just("reset"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 12), STEPS)
def test_it_is_a_list_with_limits(
    size: int, max_bytes: int, steps: list[tuple[str, int, int]]
) -> None:
    window, sent, last = Inflights(size, max_bytes), list[tuple[int, int]](), 0
    for step, number, size_bytes in steps:
        total = sum(each for _, each in sent)
        assert window.count() == len(sent)
        assert window.bytes() == total
        assert window.full() is (len(sent) == size or (max_bytes > 0 and total >= max_bytes))
        if step == "add" and not window.full():
            last += number
            window.add(last, size_bytes)
            sent.append((last, size_bytes))
        elif step == "free":
            window.free_le(last + number)
            sent = [each for each in sent if each[0] > last + number]
        elif step == "reset":
            window.reset()
            sent = []
