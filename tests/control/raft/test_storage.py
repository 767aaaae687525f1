"""The log in memory."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import NO_LIMIT, ConfState, Entry, HardState, Snapshot
from holdfast.control.raft.storage import (
    CompactedError,
    MemoryStorage,
    SnapshotOutOfDateError,
    UnavailableError,
)

CONF = ConfState((1, 2), (3,))


def storage(*terms: int, base: int = 3) -> MemoryStorage:
    made = MemoryStorage()
    made.apply_snapshot(Snapshot(base, base, CONF))
    made.append([Entry(base + i, term) for i, term in enumerate(terms, 1)])
    return made


def terms(made: MemoryStorage) -> list[int]:
    if made.last_index() < made.first_index():
        return []
    return [e.term for e in made.entries(made.first_index(), made.last_index() + 1, NO_LIMIT)]


def test_an_empty_one() -> None:
    made = MemoryStorage()
    assert (made.first_index(), made.last_index(), made.term(0)) == (1, 0, 0)
    assert made.initial_state() == (HardState(), ConfState())
    assert made.snapshot() == Snapshot()
    with pytest.raises(UnavailableError):
        made.entries(1, 1, NO_LIMIT)


@pytest.mark.parametrize(
    ("index", "expected"),
    [(2, CompactedError), (3, 3), (4, 4), (5, 5), (6, UnavailableError)],
)
def test_terms(index: int, expected: int | type[Exception]) -> None:
    made = storage(4, 5)
    if isinstance(expected, int):
        assert made.term(index) == expected
    else:
        with pytest.raises(expected):
            made.term(index)


@pytest.mark.parametrize(
    ("lo", "hi", "limit", "count"),
    [
        (4, 6, NO_LIMIT, 2),
        (4, 7, NO_LIMIT, 3),
        (4, 7, 0, 1),
        (4, 7, 8, 2),
        (4, 7, 7, 1),
        (5, 5, 9, 0),
    ],
)
def test_entries(lo: int, hi: int, limit: int, count: int) -> None:
    assert [e.index for e in storage(4, 5, 6).entries(lo, hi, limit)] == [*range(lo, lo + count)]


def test_entries_outside() -> None:
    with pytest.raises(CompactedError):
        storage(4, 5).entries(3, 5, NO_LIMIT)
    with pytest.raises(RaftPanic):
        storage(4, 5).entries(4, 7, NO_LIMIT)


@pytest.mark.parametrize(
    ("first", "new", "expected"),
    [
        (4, (3, 4, 5), [3, 4, 5]),
        (4, (3, 6, 6, 6), [3, 6, 6, 6]),
        (5, (5,), [3, 5]),
        (7, (6,), [3, 4, 5, 6]),
        (2, (3, 3, 5), [5]),  # the first two are in the snapshot
        (2, (3,), [3, 4, 5]),
        (3, (), [3, 4, 5]),
    ],
)
def test_appending_replaces_what_stood_there(
    first: int, new: tuple[int, ...], expected: list[int]
) -> None:
    made = storage(3, 4, 5)
    before = made.entries(4, 7, NO_LIMIT)
    made.append([Entry(first + i, term) for i, term in enumerate(new)])
    assert terms(made) == expected
    assert [e.term for e in before] == [3, 4, 5]


def test_a_gap_panics() -> None:
    with pytest.raises(RaftPanic):
        storage(3).append([Entry(6, 1)])


def test_compacting_keeps_the_term_before_the_first_entry() -> None:
    made = storage(4, 5, 6)
    made.compact(5)
    assert (made.first_index(), made.term(5), terms(made)) == (6, 5, [6])
    made.compact(6)
    assert (made.first_index(), made.last_index(), terms(made)) == (7, 6, [])
    for index, error in ((6, CompactedError), (3, CompactedError), (7, RaftPanic)):
        with pytest.raises(error):
            made.compact(index)


def test_creating_snapshots() -> None:
    made = storage(4, 5)
    assert made.create_snapshot(4, None, b"a") == Snapshot(4, 4, CONF, b"a")
    assert made.create_snapshot(5, ConfState((9,)), b"b") == made.snapshot()
    assert made.initial_state()[1] == ConfState((9,))
    assert terms(made) == [4, 5]
    with pytest.raises(SnapshotOutOfDateError):
        made.create_snapshot(5, None, b"")
    with pytest.raises(RaftPanic):
        made.create_snapshot(6, None, b"")


def test_applying_snapshots() -> None:
    made = storage(4, 5)
    for index in (2, 3):
        with pytest.raises(SnapshotOutOfDateError):
            made.apply_snapshot(Snapshot(index, 9))
    made.apply_snapshot(Snapshot(9, 7, ConfState((1,))))
    assert (made.first_index(), made.last_index(), made.term(9)) == (10, 9, 7)


def test_hard_state() -> None:
    made = storage()
    made.set_hard_state(HardState(3, 2, 3))
    assert made.initial_state() == (HardState(3, 2, 3), CONF)
