"""Entries and snapshots on their way to storage."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.log.unstable import Unstable
from holdfast.control.raft.messages import Entry, Snapshot


def unstable(offset: int, *terms: int, in_progress: int = 0, snapshot: int = 0) -> Unstable:
    made = Unstable(offset)
    made.entries = [Entry(offset + i, term) for i, term in enumerate(terms)]
    made.in_progress = offset + in_progress
    if snapshot:
        made.snapshot = Snapshot(snapshot, 1)
    return made


def shape(made: Unstable) -> tuple[int, list[int], int]:
    """Offset, terms, and how many entries are being written."""
    return made.offset, [entry.term for entry in made.entries], made.in_progress - made.offset


@pytest.mark.parametrize(
    ("made", "last"),
    [
        (unstable(5), None),
        (unstable(5, 1), 5),
        (unstable(5, 1, 1, snapshot=4), 6),
        (unstable(5, snapshot=4), 4),
    ],
)
def test_last_index(made: Unstable, last: int | None) -> None:
    assert made.last_index() == last


@pytest.mark.parametrize(
    ("index", "term"), [(3, None), (4, 1), (5, 2), (6, 3), (7, None), (0, None)]
)
def test_terms_are_known_from_the_snapshot_on(index: int, term: int | None) -> None:
    assert unstable(5, 2, 3, snapshot=4).term(index) == term
    if index == 4:
        assert unstable(5, 2, 3).term(4) is None


@pytest.mark.parametrize(
    ("in_progress", "index", "term", "expected"),
    [
        (0, 5, 1, (6, [1, 2], 0)),
        (1, 5, 1, (6, [1, 2], 0)),
        (3, 5, 1, (6, [1, 2], 2)),
        (2, 7, 2, (8, [], 0)),
        (2, 7, 1, (5, [1, 1, 2], 2)),  # replaced since
        (2, 4, 1, (5, [1, 1, 2], 2)),
        (2, 8, 2, (5, [1, 1, 2], 2)),
    ],
)
def test_what_is_stable_is_let_go_of(
    in_progress: int, index: int, term: int, expected: tuple[int, list[int], int]
) -> None:
    made = unstable(5, 1, 1, 2, in_progress=in_progress, snapshot=4)
    made.stable_to(index, term)
    assert shape(made) == expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (8, (5, [1, 1, 1, 9, 9], 2)),
        (7, (5, [1, 1, 9, 9], 2)),
        (6, (5, [1, 9, 9], 1)),
        (5, (5, [9, 9], 0)),
        (3, (3, [9, 9], 0)),
    ],
)
def test_new_entries_replace_what_stood_there(
    first: int, expected: tuple[int, list[int], int]
) -> None:
    made = unstable(5, 1, 1, 1, in_progress=2)
    handed_out = made.slice(5, 7)
    made.truncate_and_append([Entry(first, 9), Entry(first + 1, 9)])
    assert shape(made) == expected
    assert [entry.term for entry in handed_out] == [1, 1]


def test_a_gap_panics() -> None:
    with pytest.raises(RaftPanic, match="gap"):
        unstable(5, 1).truncate_and_append([Entry(7, 1)])


def test_what_was_handed_out_is_not_handed_out_again() -> None:
    made = unstable(5, 1, 1, snapshot=4)
    assert len(made.next_entries()) == 2
    assert made.next_snapshot() is not None
    made.accept_in_progress()
    assert made.next_entries() == ()
    assert not made.has_next_entries()
    assert made.next_snapshot() is None
    made.truncate_and_append([Entry(7, 2)])
    assert [entry.index for entry in made.next_entries()] == [7]
    made.truncate_and_append([Entry(6, 3)])
    assert [entry.index for entry in made.next_entries()] == [6]


def test_a_snapshot_replaces_all() -> None:
    made = unstable(5, 1, 1, in_progress=2, snapshot=4)
    made.accept_in_progress()
    made.restore(Snapshot(9, 2))
    assert shape(made) == (10, [], 0)
    assert made.next_snapshot() == Snapshot(9, 2)
    made.stable_snapshot_to(4)
    assert made.snapshot is not None
    made.stable_snapshot_to(9)
    assert made.snapshot is None


@pytest.mark.parametrize(("lo", "hi"), [(4, 6), (5, 8), (6, 5)])
def test_slices_outside_panic(lo: int, hi: int) -> None:
    with pytest.raises(RaftPanic):
        unstable(5, 1, 1).slice(lo, hi)
