"""Failed joins are bounded by address and together, and forgotten after a while."""

from __future__ import annotations

from holdfast.control.access.attempts import (
    FAILURES_MAX,
    FAILURES_MAX_TOGETHER,
    WINDOW_S,
    Attempts,
)


def test_one_address_is_held_off_until_its_oldest_failure_is_forgotten() -> None:
    attempts = Attempts()
    for second in range(FAILURES_MAX):
        assert attempts.wait_s("a", second) == 0
        attempts.failed("a", second)
    now = float(FAILURES_MAX)
    assert attempts.wait_s("a", now) == WINDOW_S - now
    assert attempts.wait_s("b", now) == 0
    assert attempts.wait_s("a", WINDOW_S) == 0


def test_all_together_are_held_off_and_memory_is_bounded() -> None:
    attempts = Attempts()
    for number in range(10 * FAILURES_MAX_TOGETHER):
        if not attempts.wait_s(f"a{number}", 1.0):
            attempts.failed(f"a{number}", 1.0)
    assert len(attempts._failures) == len(attempts._counts) == FAILURES_MAX_TOGETHER
    assert attempts.wait_s("new", 2.0) == WINDOW_S - 1
    assert attempts.wait_s("new", WINDOW_S + 1) == 0
    assert not attempts._failures
    assert not attempts._counts
