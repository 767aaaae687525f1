"""A member's progress: tables of its moves, and its invariants under any of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.control.raft.inflights import Inflights
from holdfast.control.raft.progress import Progress, ProgressState

PROBE, REPLICATE, SNAPSHOT = ProgressState.PROBE, ProgressState.REPLICATE, ProgressState.SNAPSHOT


def _progress(state: ProgressState = PROBE, size: int = 256, **fields: Any) -> Progress:
    return Progress(Inflights(size), state=state, **fields)


@pytest.mark.parametrize(
    ("fields", "next_after"),
    [
        ({"state": REPLICATE, "match": 1, "next": 5}, 2),
        # A snapshot that was sent: the probe starts behind it.
        ({"state": SNAPSHOT, "match": 1, "next": 11, "pending_snapshot": 10}, 11),
        # One that failed: the leader unset it before.
        ({"state": SNAPSHOT, "match": 1, "next": 11, "pending_snapshot": 0}, 2),
    ],
)
def test_become_probe(fields: dict[str, Any], next_after: int) -> None:
    progress = _progress(**fields)
    progress.become_probe()
    assert (progress.state, progress.match, progress.next) == (PROBE, 1, next_after)
    assert progress.pending_snapshot == 0


def test_become_replicate_and_snapshot() -> None:
    progress = _progress(match=1, next=5, msg_app_flow_paused=True)
    progress.become_replicate()
    assert (progress.state, progress.next, progress.is_paused()) == (REPLICATE, 2, False)
    progress.become_snapshot(10)
    assert (progress.state, progress.next, progress.pending_snapshot) == (SNAPSHOT, 11, 10)
    assert (progress.sent_commit, progress.is_paused()) == (10, True)


@pytest.mark.parametrize(
    ("state", "paused", "expected"),
    [
        (PROBE, False, False),
        (PROBE, True, True),
        (REPLICATE, False, False),
        (REPLICATE, True, True),
        (SNAPSHOT, False, True),
        (SNAPSHOT, True, True),
    ],
)
def test_is_paused(state: ProgressState, paused: bool, expected: bool) -> None:
    assert _progress(state, msg_app_flow_paused=paused).is_paused() is expected


@pytest.mark.parametrize(
    ("index", "moved", "match", "next_after"),
    [(2, False, 3, 5), (3, False, 3, 5), (4, True, 4, 5), (5, True, 5, 6)],
)
def test_maybe_update(index: int, moved: bool, match: int, next_after: int) -> None:
    progress = _progress(match=3, next=5)
    assert progress.maybe_update(index) is moved
    assert (progress.match, progress.next) == (match, next_after)


@pytest.mark.parametrize(
    ("state", "match", "next_before", "rejected", "hint", "taken", "next_after"),
    [
        (REPLICATE, 5, 10, 5, 5, False, 10),
        (REPLICATE, 5, 10, 4, 4, False, 10),
        (REPLICATE, 5, 10, 9, 9, True, 6),
        (PROBE, 0, 0, 0, 0, False, 0),
        (PROBE, 0, 10, 5, 5, False, 10),
        (PROBE, 0, 10, 9, 9, True, 9),
        (PROBE, 0, 2, 1, 1, True, 1),
        (PROBE, 0, 1, 0, 0, True, 1),
        (PROBE, 0, 10, 9, 2, True, 3),
        (PROBE, 0, 10, 9, 0, True, 1),
        (PROBE, 4, 10, 9, 0, True, 5),
    ],
)
def test_maybe_decr_to(
    state: ProgressState,
    match: int,
    next_before: int,
    *,
    rejected: int,
    hint: int,
    taken: bool,
    next_after: int,
) -> None:
    progress = _progress(state, match=match, next=next_before)
    assert progress.maybe_decr_to(rejected, hint) is taken
    assert (progress.match, progress.next) == (match, next_after)


def test_what_was_sent_of_the_commit_index_falls_back_with_next() -> None:
    progress = _progress(REPLICATE, match=3, next=9, sent_commit=8)
    assert not progress.can_bump_commit(8)
    assert progress.maybe_decr_to(8, 8)
    assert progress.sent_commit == 3
    assert not progress.can_bump_commit(9)  # it has been sent all that it can commit
    progress.sent_entries(2, 0)
    assert progress.can_bump_commit(9)
    assert not progress.can_bump_commit(3)


@pytest.mark.parametrize(
    ("state", "count", "next_after", "paused"),
    [(PROBE, 0, 3, False), (PROBE, 2, 3, True), (REPLICATE, 0, 3, False), (REPLICATE, 2, 5, True)],
)
def test_sent_entries(state: ProgressState, count: int, next_after: int, paused: bool) -> None:
    progress = _progress(state, size=1, match=2, next=3)
    progress.sent_entries(count, 10)
    assert (progress.next, progress.is_paused()) == (next_after, paused)
    assert progress.inflights.count() == (1 if state is REPLICATE and count else 0)


def test_no_append_while_a_snapshot_is_on_its_way() -> None:
    with pytest.raises(AssertionError):
        _progress(SNAPSHOT).sent_entries(1, 1)


def test_an_empty_append_to_a_full_window_pauses_again() -> None:
    progress = _progress(REPLICATE, size=1)
    progress.sent_entries(1, 1)
    progress.msg_app_flow_paused = False  # a heartbeat was answered
    progress.sent_entries(0, 0)
    assert progress.is_paused()


def test_copies() -> None:
    progress = _progress(REPLICATE, match=1, next=2)
    fork, clone = progress.fork(), progress.clone()
    progress.sent_entries(1, 1)
    assert (fork.next, fork.inflights.count()) == (2, 1)
    assert (clone.next, clone.inflights.count()) == (2, 0)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["probe", "replicate"])),
        st.tuples(st.sampled_from(["snapshot", "update"]), st.integers(0, 30)),
        st.tuples(st.just("decr"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("sent"), st.integers(0, 3), st.integers(0, 9)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(MOVES)
@example([("replicate",), *[("sent", 1, 0)] * 3, ("update", 1), ("decr", 0, 0)])
def test_invariants(moves: list[tuple[Any, ...]]) -> None:
    progress = Progress(Inflights(3, 20))
    for name, *numbers in moves:
        match_before = progress.match
        _move(progress, name, numbers)
        assert match_before <= progress.match < progress.next
        assert (progress.state is SNAPSHOT) or progress.pending_snapshot == 0
        if progress.state is not REPLICATE:
            assert progress.inflights.count() == 0
        elif progress.inflights.full():
            assert progress.is_paused()


def _move(progress: Progress, name: str, numbers: list[int]) -> None:
    match name:
        case "probe":
            progress.become_probe()
        case "replicate":
            progress.become_replicate()
        case "snapshot":
            progress.become_snapshot(progress.match + numbers[0])
        case "update":
            if progress.maybe_update(numbers[0]) and progress.state is REPLICATE:
                progress.inflights.free_le(numbers[0])  # as the leader does, which then sends on
                progress.sent_entries(0, 0)
        case "decr":
            before = progress.next
            lowered = progress.maybe_decr_to(*numbers)
            assert progress.next <= before
            assert lowered or progress.next == before
        case "sent":
            if not progress.is_paused() and not progress.inflights.full():
                progress.sent_entries(*numbers)
