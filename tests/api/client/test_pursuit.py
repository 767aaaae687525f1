"""When a call that failed is tried again: tables over refusals, no clock."""

from __future__ import annotations

import pytest

from holdfast.api.client.pursuit import PAUSE_MAX_S, UNKNOWN_MAX, Pursuit
from holdfast.api.errors import ApiError, Reason

KNOWN = ("a:1", "b:1", "c:1")


def tried(
    pursuit: Pursuit, reason: Reason, address: str = "a:1", known: tuple[str, ...] = KNOWN, *,
    answered: bool = True, turned: bool = False, now: float = 0.0,
) -> float | None:  # fmt: skip
    return pursuit.pause_s(
        ApiError(reason, "no"), address, known, answered=answered, turned=turned, now=now,
        chance=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("reason", list(Reason))
def test_what_an_answer_means(reason: Reason) -> None:
    """Every reason: the caller's own fault stands, what another control node may do is tried."""
    again = {Reason.NOT_LEADER, Reason.UNAVAILABLE, Reason.UNKNOWN_OUTCOME}
    assert (tried(Pursuit(10.0), reason) is not None) == (reason in again)


@pytest.mark.parametrize("reason", list(Reason))
def test_what_silence_means(reason: Reason) -> None:
    again = {Reason.UNAVAILABLE, Reason.TIMEOUT}
    assert (tried(Pursuit(10.0), reason, answered=False) is not None) == (reason in again)


def test_a_single_control_node_that_is_down_fails_at_once() -> None:
    assert tried(Pursuit(10.0), Reason.UNAVAILABLE, known=("a:1",), answered=False) is None


def test_when_nobody_answers_it_fails_after_one_round() -> None:
    pursuit = Pursuit(10.0)
    pauses = [tried(pursuit, Reason.UNAVAILABLE, one, answered=False) for one in KNOWN]
    assert pauses[-1] is None
    assert None not in pauses[:-1]


def test_an_answer_in_between_keeps_hope() -> None:
    """Those who live name a leader that is dead, until they have noticed."""
    pursuit = Pursuit(10.0)
    for _ in range(20):
        assert tried(pursuit, Reason.UNAVAILABLE, "a:1", answered=False) is not None
        assert tried(pursuit, Reason.NOT_LEADER, "b:1") is not None


def test_the_first_turn_is_at_once_and_later_ones_are_slower() -> None:
    pursuit = Pursuit(10.0)
    pauses = [tried(pursuit, Reason.NOT_LEADER, turned=True) for _ in range(10)]
    assert pauses[0] == 0.0
    assert pauses[-1] == PAUSE_MAX_S
    assert pauses == sorted(pauses)  # type: ignore[type-var]


def test_it_gives_up_in_time() -> None:
    assert tried(Pursuit(10.0), Reason.NOT_LEADER, now=10.0) is None


def test_an_unknown_outcome_is_asked_for_a_few_times() -> None:
    pursuit = Pursuit(10.0)
    pauses = [tried(pursuit, Reason.UNKNOWN_OUTCOME) for _ in range(UNKNOWN_MAX + 1)]
    assert [pause is None for pause in pauses] == [False] * UNKNOWN_MAX + [True]


def test_each_that_cannot_serve_is_asked_once() -> None:
    pursuit = Pursuit(10.0)
    pauses = [tried(pursuit, Reason.UNAVAILABLE, one) for one in KNOWN]
    assert [pause is None for pause in pauses] == [False, False, True]
