"""Sizes, limits, and configuration changes as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.control.raft.messages import (
    LOCAL_TYPES,
    NO_LIMIT,
    RESPONSE_TYPES,
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
    Entry,
    EntryType,
    MessageType,
    decode_conf_change,
    encode_conf_change,
    entries_size,
    limit_size,
    payload_size,
)

ids = st.integers(0, 2**64 - 1)
singles = st.builds(ConfChangeSingle, st.sampled_from(ConfChangeType), ids)
v1 = st.builds(ConfChange, st.sampled_from(ConfChangeType), ids, st.binary(max_size=20))
v2 = st.builds(
    ConfChangeV2,
    st.sampled_from(ConfChangeTransition),
    st.lists(singles, max_size=5).map(tuple),
    st.binary(max_size=20),
)


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        (Entry(), 4),
        (Entry(127, 127), 4),
        (Entry(128, 1), 5),
        (Entry(2**64 - 1, 2**64 - 1), 22),
        (Entry(1, 1, data=b"x"), 7),
        (Entry(1, 1, data=b"x" * 128), 135),
        (Entry(1, 1, EntryType.CONF_CHANGE), 6),
    ],
)
def test_an_entry_has_the_size_of_its_protobuf_encoding(entry: Entry, size: int) -> None:
    assert entry.size == size


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(0, 2000))
def test_a_limit_keeps_the_longest_prefix_that_fits(data: list[bytes], limit: int) -> None:
    entries = [Entry(i, 1, data=each) for i, each in enumerate(data)]
    kept = limit_size(entries, limit)
    assert list(kept) == entries[: len(kept)]
    assert len(kept) <= 1 or entries_size(kept) <= limit
    assert len(kept) == len(entries) or entries_size(entries[: len(kept) + 1]) > limit
    assert bool(kept) == bool(entries)
    assert limit_size(entries, NO_LIMIT) == entries
    assert payload_size(entries) == sum(map(len, data))


@settings(max_examples=50)
@given(v1 | v2)
def test_changes_come_back_from_their_bytes(change: ConfChange | ConfChangeV2) -> None:
    entry = encode_conf_change(change)
    assert decode_conf_change(entry) == change
    assert decode_conf_change(Entry()) is None


@settings(max_examples=50)
@given(st.sampled_from(EntryType), st.binary(max_size=40))
def test_other_bytes_are_refused_or_read_but_never_worse(kind: EntryType, data: bytes) -> None:
    try:
        decode_conf_change(Entry(type=kind, data=data))
    except ValueError as error:
        assert str(error)


@settings(max_examples=50)
@given(v2, st.integers(0, 30))
def test_a_change_cut_short_is_refused(change: ConfChangeV2, keep: int) -> None:
    data = change._replace(context=b"").encode()
    if 0 < keep < len(data):
        with pytest.raises(ValueError, match="configuration change"):
            ConfChangeV2.decode(data[:keep])


@pytest.mark.parametrize("node", [-1, 2**64])
def test_ids_out_of_range_are_refused(node: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        ConfChange(ConfChangeType.ADD_NODE, node).encode()


ONE = ConfChangeSingle(ConfChangeType.ADD_NODE, 1)
AUTO, IMPLICIT, EXPLICIT = ConfChangeTransition


@pytest.mark.parametrize(
    ("change", "enters", "auto", "leaves"),
    [
        (ConfChangeV2(), False, True, True),
        (ConfChangeV2(context=b"x"), False, True, True),
        (ConfChangeV2(AUTO, (ONE,)), False, True, False),
        (ConfChangeV2(AUTO, (ONE, ONE)), True, True, False),
        (ConfChangeV2(IMPLICIT, (ONE,)), True, True, False),
        (ConfChangeV2(EXPLICIT, (ONE,)), True, False, False),
        (ConfChangeV2(EXPLICIT), True, False, False),
        (ConfChange(ConfChangeType.ADD_NODE, 1, b"x").as_v2(), False, True, False),
    ],
)
def test_how_a_change_is_made(change: ConfChangeV2, enters: bool, auto: bool, leaves: bool) -> None:
    assert (change.enters_joint, change.leaves_joint) == (enters, leaves)
    assert change.auto_leave is auto
    assert change.as_v2() is change


def test_leaving_a_joint_configuration_costs_no_data() -> None:
    assert encode_conf_change(ConfChangeV2()) == Entry(type=EntryType.CONF_CHANGE_V2)


def test_answers_are_named_as_such() -> None:
    named = {kind for kind in MessageType if kind.name.endswith("_RESP")}
    assert {*named, MessageType.UNREACHABLE} == RESPONSE_TYPES
    assert {kind for kind in MessageType if kind.name.startswith("STORAGE_")} <= LOCAL_TYPES
