"""The small rules with numbers: the table of ids, the floor, groups and parts, overlays."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.store import groups, history, retries
from holdfast.control.store.commands import ANY, Change, Commit, Key, Outcome, Result, Row, Write
from holdfast.control.store.engine import PART_BYTES_MAX, PART_WRITES_MAX, StoreError
from holdfast.control.store.history import Tail, overlay


def result(outcomes: int = 1) -> Result:
    return Result((Outcome(1),) * outcomes, 1)


def test_old_results_are_forgotten_before_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RESULTS_MAX", 3)
    monkeypatch.setattr(retries, "SPENT_MAX", 2)
    table = retries.Retries()
    rows = [table.remember(b"%d" % n, result()) for n in range(8)]
    assert [row.position for row in rows] == list(range(1, 9))
    known = [bool(table.find(b"%d" % n)) for n in range(8)]
    spent = [table.spent(b"%d" % n) for n in range(8)]
    assert known == [False] * 5 + [True] * 3
    assert spent == [False] * 3 + [True] * 2 + [False] * 3
    assert (table.spent_from, table.results_from, table.last) == (4, 6, 8)


def test_large_results_are_bounded_by_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "OUTCOMES_MAX", 10)
    table = retries.Retries()
    for n in range(3):
        table.remember(b"%d" % n, result(4))
    assert table.results_from == 2
    table.remember(b"huge", result(50))
    assert table.find(b"huge")
    assert table.results_from == 4


def test_a_loaded_table_goes_on_where_it_was() -> None:
    rows = [retries.Remembered(5, b"a", None), retries.Remembered(6, b"b", result())]
    table = retries.Retries(rows, last=6)
    assert (table.spent_from, table.results_from) == (5, 6)
    assert table.remember(b"c", result()).position == 7


def test_history_is_kept_for_its_time() -> None:
    samples = history.Samples()
    for minute in range(10):
        samples.add(minute * 60.0, minute * 100)
        wanted = samples.floor_wanted(minute * 60.0, minute * 100, 0)
        assert wanted == max(0, (minute - 5) * 100)


def test_history_is_bounded_in_count() -> None:
    samples = history.Samples()
    samples.add(0.0, 0)
    assert samples.floor_wanted(1.0, history.KEPT_MAX + 7, 0) == 7
    assert samples.floor_wanted(1.0, history.KEPT_MAX + 7, 50) == 50


writes = st.builds(
    Write,
    st.builds(Key, st.just("pods"), st.just(""), st.text("ab", max_size=3)),
    st.none() | st.integers(0, PART_BYTES_MAX).map(bytes),
    st.just(ANY),
)


@given(st.lists(writes, max_size=6), st.integers(1, 2 * PART_WRITES_MAX))
def test_parts_are_the_batch_and_within_bounds(some: list[Write], times: int) -> None:
    commit = Commit(b"0123456789abcdef", some * times if len(some) == 1 else some)
    parts = list(groups.split(commit))
    assert [write for part, _, _ in parts for write in part.writes] == list(commit.writes)
    assert len({part.id for part, _, _ in parts}) == len(parts)
    for part, count, _ in parts:
        assert count == len(part.writes) <= PART_WRITES_MAX
        assert count == 1 or sum(len(one.value or b"") for one in part.writes) <= PART_BYTES_MAX


async def test_a_group_takes_all_that_waits_within_bounds() -> None:
    queue = groups.Queue()
    new = asyncio.get_running_loop().create_future
    for _ in range(10):
        queue.add(groups.Waiting(Commit(b"", ()), 300, 300_000, new()))
    taken = []
    while queue:
        taken.append(len(queue.take()))
    assert taken == [3, 3, 3, 1]
    queue.add(groups.Waiting(Commit(b"", ()), 10**6, 10**9, new()))
    assert len(queue.take()) == 1


async def test_a_full_queue_refuses() -> None:
    queue = groups.Queue()
    new = asyncio.get_running_loop().create_future
    queue.add(groups.Waiting(Commit(b"", ()), groups.WAITING_WRITES_MAX, 1, new()))
    with pytest.raises(StoreError, match="200000 writes wait"):
        queue.add(groups.Waiting(Commit(b"", ()), 1, 1, new()))


names = st.text("abc", min_size=1, max_size=2)


@given(st.dictionaries(names, st.integers(1, 9)), st.dictionaries(names, st.booleans()),
       st.integers(1, 5))  # fmt: skip
def test_an_overlay_is_the_page_of_the_newer_state(
    old: dict[str, int], new: dict[str, bool], limit: int
) -> None:
    rows = {Key("pods", "", n): Row(Key("pods", "", n), b"o", r, r) for n, r in old.items()}
    newer = {
        Key("pods", "", n): Change(10, Key("pods", "", n), b"n" if there else None, None, 10, 0, 10)
        for n, there in new.items()
    }
    merged = {key: row.value for key, row in rows.items()}
    for key, change in newer.items():
        merged.pop(key, None)
        if change.value is not None:
            merged[key] = change.value
    stored = [rows[key] for key in sorted(rows)][: limit + len(newer)]
    assert [(row.key, row.value) for row in overlay(stored, newer, limit)] == sorted(
        merged.items()
    )[:limit]


def test_the_tail_is_cut_where_the_image_begins() -> None:
    tail = Tail(3)
    changes = [Change(n, Key("pods", "", "a"), b"", None, 1, 0, n) for n in range(4, 9)]
    tail.add(changes)
    assert tail.after(5, 2) == changes[2:4]
    assert tail.upto(6) == changes[:3]
    tail.saved(6)
    assert (tail.base, tail.after(6, 9)) == (6, changes[3:])
