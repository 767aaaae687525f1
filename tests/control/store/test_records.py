"""The bytes of a log entry: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.store import records
from holdfast.control.store.batches.columns import FEWEST
from holdfast.control.store.commands import (
    Check,
    Commit,
    Compact,
    Compare,
    Key,
    Outcome,
    Refusal,
    Result,
    Write,
)
from tests.texts import texts

names = texts(8)
keys = st.builds(Key, names, names, names)
revisions = st.integers(-1, 2**63 - 1)
commits = st.builds(
    Commit,
    st.binary(max_size=20),
    st.lists(st.builds(Write, keys, st.none() | st.binary(max_size=40), revisions), max_size=12),
    st.lists(st.builds(Compare, keys, revisions), max_size=3),
    st.booleans(),
    revisions.filter(lambda term: term >= 0),
)
checks = st.builds(Check, revisions, revisions, revisions)
commands = st.lists(commits | checks | st.builds(Compact, revisions), max_size=4)
outcomes = st.builds(Outcome, revisions, st.none() | st.sampled_from(Refusal), revisions)
results = st.builds(Result, st.lists(outcomes, max_size=5).map(tuple), revisions)


@given(commands)
def test_an_entry_comes_back(group: list[records.Command]) -> None:
    assert records.decode(records.encode(group)) == group


@given(results)
def test_a_result_comes_back(result: Result) -> None:
    assert records.decode_result(records.encode_result(result)) == result


@given(commands, st.data())
def test_a_cut_entry_is_refused(group: list[records.Command], data: st.DataObject) -> None:
    whole = records.encode(group)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(records.RecordError):
        records.decode(cut)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    try:
        records.decode(data)
    except records.RecordError as error:
        assert str(error)


def test_a_batch_of_one_place_comes_back() -> None:
    writes = [Write(Key("pods", "ns", f"pod-{n}"), b"x" * n, n) for n in range(300)]
    [commit] = records.decode(records.encode([Commit(b"id", writes)]))
    assert commit == Commit(b"id", writes, [])


@pytest.mark.parametrize("writes", [FEWEST - 1, FEWEST + 1])
def test_writes_must_have_as_many_places(writes: int) -> None:
    batch = [Write(Key("r", "n", f"{n}"), b"", 0) for n in range(FEWEST)]
    whole = records.encode([Commit(b"", batch)])
    run = struct.pack("<IIHH", 1, FEWEST, 1, 1)
    assert whole.count(run) == 1
    with pytest.raises(records.RecordError):
        records.decode(whole.replace(run, struct.pack("<IIHH", 1, writes, 1, 1)))


def test_decoded_writes_are_a_sequence() -> None:
    batch = [Write(Key("r", "n", f"{n}"), b"", n) for n in range(FEWEST)]
    [commit] = records.decode(records.encode([Commit(b"", batch)]))
    assert isinstance(commit, Commit)
    assert (commit.writes[1], list(commit.writes[2:4])) == (batch[1], batch[2:4])
    assert commit.writes == batch
    assert commit.writes != batch[1:]


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(records.RecordError, match="after its end"):
        records.decode(records.encode([Compact(3)]) + b"\0")


def test_the_chain_covers_place_term_and_data() -> None:
    links = {
        records.chain(*link)
        for link in ((1, 2, 3, b"a"), (0, 2, 3, b"a"), (1, 1, 3, b"a"), (1, 2, 4, b"a"),
                     (1, 2, 3, b"b"))
    }  # fmt: skip
    assert len(links) == 5
