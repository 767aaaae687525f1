"""What lies in etcd: keys in our order, values that are read back, revisions that only grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.store.commands import Key, Outcome, Refusal, Result
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import RESULT_SLOTS, Layout
from holdfast.control.store.etcd.stored.revisions import CHANGES_MAX, GAP, Revisions, after
from tests.texts import texts

part = texts(4) | st.text("\0\1\2a/-.", max_size=4)
keys = st.builds(Key, part, part, part)
LAYOUT = Layout("holdfast")
BIG = st.integers(0, (1 << 62) - 1)
SMALL = st.integers(0, 127)


@given(keys)
def test_keys_are_read_back(key: Key) -> None:
    raw = LAYOUT.object(key)
    assert LAYOUT.object_key(raw) == key
    assert LAYOUT.start < raw < LAYOUT.end


@given(keys, keys)
def test_keys_keep_their_order(one: Key, other: Key) -> None:
    assert (one < other) == (LAYOUT.object(one) < LAYOUT.object(other))


@given(keys, keys, st.booleans())
def test_a_range_is_a_page(key: Key, start: Key, all_of_them: bool) -> None:
    namespace = "" if all_of_them else start.namespace
    begin, end = LAYOUT.scope(start.resource, namespace, start)
    inside = begin <= LAYOUT.object(key) < end
    scope = key.resource == start.resource and namespace in ("", key.namespace)
    assert inside == (scope and key > start)
    begin, end = LAYOUT.scope(start.resource, namespace, None)
    assert (begin <= LAYOUT.object(key) < end) == scope


def test_results_go_round() -> None:
    assert LAYOUT.result(5) == LAYOUT.result(5 + RESULT_SLOTS)
    assert len({LAYOUT.result(number) for number in range(RESULT_SLOTS)}) == RESULT_SLOTS


outcomes = st.builds(Outcome, st.integers(-128, 1 << 60), st.none() | st.sampled_from(Refusal), BIG)
results = st.lists(
    st.tuples(
        st.binary(max_size=20), st.builds(Result, st.lists(outcomes, max_size=5).map(tuple), BIG)
    ),
    max_size=3,
)


@given(SMALL, BIG, BIG, st.binary())
def test_objects_are_read_back(sub: int, created: int, revision: int, value: bytes) -> None:
    found = values.Object(sub, created, revision, value)
    assert values.decode_object(values.encode_object(found)) == found


@given(BIG, BIG, BIG, BIG, st.lists(SMALL).map(tuple))
def test_heads_are_read_back(
    term: int, number: int, before: int, checksum: int, counts: tuple[int, ...]
) -> None:
    head = values.Head(term, number, before, checksum, counts)
    assert values.decode_head(values.encode_head(head)) == head


@given(BIG, results)
def test_results_are_read_back(number: int, found: list[tuple[bytes, Result]]) -> None:
    raw = values.encode_results(number, found)
    assert values.decode_results(raw) == (number, found)


@given(texts(), BIG, st.booleans(), st.lists(texts()).map(tuple))
def test_the_rest_is_read_back(
    text: str, number: int, moving: bool, endpoints: tuple[str, ...]
) -> None:
    cluster, leader = values.Cluster(text, number, moving), values.Leader(text, endpoints)
    assert values.decode_cluster(values.encode_cluster(cluster)) == cluster
    assert values.decode_leader(values.encode_leader(leader)) == leader
    assert values.decode_floor(values.encode_floor(number)) == number


@given(texts(), st.lists(st.builds(values.Control, BIG, texts(), st.lists(texts()).map(tuple))))
def test_control_nodes_are_read_back(authority: str, known: list[values.Control]) -> None:
    controls = values.Controls(authority, tuple(known))
    assert values.decode_controls(values.encode_controls(controls)) == controls


DECODERS = (
    values.decode_object, values.decode_head, values.decode_results, values.decode_cluster,
    values.decode_leader, values.decode_floor, values.decode_controls,
)  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS)
@given(raw=st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b'{"format": 2}']))
def test_foreign_bytes_raise_one_error(decode: object, raw: bytes) -> None:
    assert callable(decode)
    try:
        decode(raw)
    except ValueError as error:
        assert str(error).startswith("is ")


def test_stand_ins_become_revisions() -> None:
    result = Result((Outcome(values.own(0)), Outcome(7), Outcome(values.own(2))), values.own(2))
    settled = values.settled(result, lambda sub: 1000 + sub)
    assert settled == Result((Outcome(1000), Outcome(7), Outcome(1002)), 1002)


@given(BIG.map(lambda n: n >> 12), SMALL, st.integers(0, 1 << 30))
def test_revisions_go_there_and_back(main: int, sub: int, steps: int) -> None:
    revisions = Revisions(steps * CHANGES_MAX)
    revision = revisions.of(main, sub)
    assert (revisions.main(revision), revisions.sub(revision)) == (main, sub)
    assert revisions.of(main + 1) > revision


@given(st.integers(1, 1 << 50), st.integers(1, 1 << 40))
def test_a_moved_cluster_begins_behind_the_gap(revision: int, main: int) -> None:
    revisions = after(revision, main)
    assert revisions.of(main) >= revision + GAP
    assert revisions.offset % CHANGES_MAX == 0
    assert after(0, main) == Revisions()
