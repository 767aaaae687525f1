"""The log against a plain list, and its marks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.control.raft.errors import CompactedError, RaftPanic
from holdfast.control.raft.log.log import RaftLog
from holdfast.control.raft.messages import (
    NO_LIMIT,
    Entry,
    EntryType,
    Snapshot,
    entries_size,
    limit_size,
)
from holdfast.control.raft.storage import MemoryStorage


def log_of(*terms: int, stable: int, compacted: int = 0, limit: int = NO_LIMIT) -> RaftLog:
    """Entry i+1 has terms[i]; the first `stable` are in storage, `compacted` of them dropped."""
    storage = MemoryStorage()
    entries = [Entry(i, term, data=b"x" * (i % 3)) for i, term in enumerate(terms, 1)]
    storage.append(entries[:stable])
    if compacted:
        storage.compact(compacted)
    log = RaftLog(storage, limit)
    log.append(entries[stable:])
    return log


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=12).map(sorted),
    st.data(),
)
def test_reading_is_one_list_wherever_the_seam_lies(terms: list[int], data: st.DataObject) -> None:
    stable = data.draw(st.integers(0, len(terms)))
    compacted = data.draw(st.integers(0, stable))
    log = log_of(*terms, stable=stable, compacted=compacted)
    assert log.first_index() == compacted + 1
    assert log.last_index() == len(terms)
    for index in range(len(terms) + 3):
        known = compacted <= index <= len(terms)
        expected = 0 if index == 0 else (terms[index - 1] if known else None)
        assert log.term(index) == (expected if known else None)
    whole = [Entry(i, t, data=b"x" * (i % 3)) for i, t in enumerate(terms, 1)]
    lo = data.draw(st.integers(compacted + 1, len(terms) + 1))
    hi = data.draw(st.integers(lo, len(terms) + 1))
    limit = data.draw(st.integers(0, 60) | st.just(NO_LIMIT))
    assert list(log.slice(lo, hi, limit)) == list(limit_size(whole[lo - 1 : hi - 1], limit))
    assert list(log.entries(lo, NO_LIMIT)) == whole[lo - 1 :]


def test_the_seam_may_lie_inside_storage() -> None:
    log = log_of(1, 1, 1, 1, stable=4)
    log.append([Entry(3, 2)])
    assert log.last_index() == 3
    assert [log.term(i) for i in range(6)] == [0, 1, 1, 2, None, None]
    assert [e.term for e in log.entries(1, NO_LIMIT)] == [1, 1, 2]


def test_what_is_compacted_or_not_there_is_refused() -> None:
    log = log_of(1, 1, 1, stable=3, compacted=2)
    with pytest.raises(CompactedError):
        log.slice(2, 3, NO_LIMIT)
    assert log.entries(4, NO_LIMIT) == ()
    with pytest.raises(RaftPanic):
        log.slice(3, 5, NO_LIMIT)
    with pytest.raises(RaftPanic):
        log.slice(4, 3, NO_LIMIT)


def test_a_storage_that_lost_entries_panics() -> None:
    log = log_of(1, 1, stable=2)
    log.storage = MemoryStorage()
    with pytest.raises(RaftPanic):
        log.slice(1, 3, NO_LIMIT)


@pytest.mark.parametrize(
    ("index", "term", "entries", "commit", "last", "committed"),
    [
        (3, 2, (), 3, None, 1),  # another term there
        (4, 4, (4,), 4, None, 1),  # a gap
        (3, 3, (), 3, 3, 3),
        (3, 3, (), 2, 3, 2),
        (3, 3, (), 9, 3, 3),
        (3, 3, (4,), 3, 4, 3),
        (3, 3, (4, 4), 9, 5, 5),
        (2, 2, (4,), 3, 3, 3),
        (1, 1, (4, 4), 1, 3, 1),
        (0, 0, (), 9, 0, 1),
    ],
)
def test_appending_what_a_leader_sends(
    index: int, term: int, entries: tuple[int, ...], commit: int, last: int | None, committed: int
) -> None:
    log = log_of(1, 2, 3, stable=2)
    log.commit_to(1)
    new = [Entry(index + i, each) for i, each in enumerate(entries, 1)]
    assert log.maybe_append(index, term, new, commit) == last
    assert log.committed == committed
    if last and entries:
        assert [log.term(e.index) for e in new] == list(entries)


def test_committed_entries_are_never_replaced() -> None:
    log = log_of(1, 2, 3, stable=3)
    log.commit_to(2)
    with pytest.raises(RaftPanic, match="conflicts"):
        log.maybe_append(1, 1, [Entry(2, 4)], 2)
    with pytest.raises(RaftPanic, match="replace"):
        log.append([Entry(2, 4)])
    with pytest.raises(RaftPanic, match="lost"):
        log.commit_to(4)
    log.commit_to(1)
    assert log.committed == 2


@pytest.mark.parametrize(
    ("index", "term", "expected"),
    [
        (5, 9, (5, 4)),
        (5, 3, (4, 3)),
        (4, 2, (3, 2)),
        (5, 1, (1, 0)),
        (9, 9, (9, 0)),
        (0, 5, (0, 0)),
    ],
)
def test_where_logs_may_agree(index: int, term: int, expected: tuple[int, int]) -> None:
    log = log_of(1, 2, 2, 3, 4, stable=4, compacted=2)  # index 2 is known by its term, 1 is not
    assert log.find_conflict_by_term(index, term) == expected


def test_entries_are_handed_out_within_the_limit_and_at_least_one() -> None:
    log = log_of(*[1] * 6, stable=6, limit=20)
    log.commit_to(6)
    seen = []
    while entries := log.next_committed(allow_unstable=False):
        size = entries_size(entries)
        assert size <= 20
        log.accept_applying(entries[-1].index, size, allow_unstable=False)
        assert not log.has_next_committed(allow_unstable=False)  # the rest did not fit
        log.applied_to(entries[-1].index, size)
        seen += [entry.index for entry in entries]
    assert seen == [1, 2, 3, 4, 5, 6]
    assert log.applying_bytes == 0


def test_unstable_entries_are_handed_out_only_where_allowed() -> None:
    log = log_of(1, 1, 1, stable=1)
    log.commit_to(3)
    assert [e.index for e in log.next_committed(allow_unstable=False)] == [1]
    assert [e.index for e in log.next_committed(allow_unstable=True)] == [1, 2, 3]


def test_nothing_is_handed_out_while_a_snapshot_waits() -> None:
    log = log_of(1, 1, stable=2)
    log.restore(Snapshot(5, 2))
    assert (log.committed, log.first_index(), log.last_index()) == (5, 6, 5)
    assert log.next_committed(allow_unstable=True) == ()
    assert log.snapshot() == Snapshot(5, 2)
    assert log.term(5) == 2


@pytest.mark.parametrize("index", [0, 3])
def test_marks_stay_in_order(index: int) -> None:
    log = log_of(1, 1, 1, stable=3)
    log.commit_to(2)
    log.applied_to(1, 0)
    with pytest.raises(RaftPanic):
        log.applied_to(index, 0)
    with pytest.raises(RaftPanic):
        log.accept_applying(3, 0, allow_unstable=True)


def test_more_than_the_limit_being_applied_panics() -> None:
    log = log_of(1, 1, stable=2, limit=10)
    log.commit_to(2)
    log.applying_bytes = 10
    with pytest.raises(RaftPanic):
        log.next_committed(allow_unstable=True)


def test_unapplied_changes_are_found_among_the_committed() -> None:
    log = log_of(1, 1, stable=2, limit=1)
    log.append([Entry(3, 1, EntryType.CONF_CHANGE_V2), Entry(4, 1)])
    assert not log.has_unapplied_conf_change()
    log.commit_to(2)
    assert not log.has_unapplied_conf_change()
    log.commit_to(4)
    assert log.has_unapplied_conf_change()
    log.applied_to(3, 0)
    assert not log.has_unapplied_conf_change()
