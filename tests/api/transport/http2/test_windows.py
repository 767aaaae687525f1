"""What may be sent, and when more is allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.transport.http2.frames import WINDOW_MAX
from holdfast.api.transport.http2.windows import Allowance, grown


@given(st.integers(1, 1000), st.lists(st.integers(1, 1000)))
def test_a_peer_that_keeps_to_its_window_is_never_stuck(size: int, wanted: list[int]) -> None:
    allowance, left, unread = Allowance(size), size, 0
    for amount in wanted:
        amount = min(amount, left)
        assert allowance.take(amount)
        left -= amount
        unread += amount
        left += allowance.give_back(unread)
        unread = 0
        assert 0 < left <= size


def test_more_than_the_window_is_noticed() -> None:
    allowance = Allowance(10)
    assert allowance.take(10)
    assert not allowance.take(1)


def test_it_is_renewed_by_halves() -> None:
    allowance = Allowance(10)
    allowance.take(10)
    assert [allowance.give_back(1) for _ in range(6)] == [0, 0, 0, 0, 5, 0]


def test_a_window_has_a_bound() -> None:
    assert grown(0, WINDOW_MAX) == WINDOW_MAX
    assert grown(1, WINDOW_MAX) is None
    assert grown(-5, 3) == -2
