"""Header blocks against hpack's own encoder, and what a decoder may remember."""

from __future__ import annotations

import contextlib

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.transport.http2.fields import (
    LIST_BYTES_MAX,
    REMEMBERED_MAX,
    Block,
    Decoder,
    FieldsError,
    encode,
)

NAMES = st.text("abcdefghijkl-", min_size=1, max_size=20).map(str.encode)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=8).map(tuple)
WITH_INDEX = b"\x40\x01a\x01b"  # a literal that is added to the table
INDEXED = b"\xbe"  # its newest entry


@given(FIELDS)
def test_what_is_encoded_is_decoded(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert Decoder().decode(encode(fields)).fields == fields


@given(st.lists(st.one_of(FIELDS, st.integers(0, 4096)), max_size=12), st.data())
def test_remembering_changes_nothing(
    steps: list[tuple[tuple[bytes, bytes], ...] | int], data: st.DataObject
) -> None:
    """Blocks of a table-keeping encoder, some sent again, against a decoder without memory."""
    encoder, remembering, blocks = Encoder(), Decoder(), [encode([(b"x", b"y")])]
    plain = Decoder()
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # set again, hpack's encoder forgets to tell it
                encoder.header_table_size = step
            continue
        again = data.draw(st.booleans())
        block = data.draw(st.sampled_from(blocks)) if again else encoder.encode(list(step))
        if not again and data.draw(st.booleans()):
            blocks.append(encode(step))
        plain._known.clear()
        assert remembering.decode(block).fields == plain.decode(block).fields


def test_a_block_that_comes_again_is_the_same_object() -> None:
    decoder = Decoder()
    block = encode([(b"a", b"b")])
    assert decoder.decode(block) is decoder.decode(block)


def test_a_change_of_the_table_forgets_what_indices_meant() -> None:
    decoder = Decoder()
    decoder.decode(WITH_INDEX)
    assert decoder.decode(INDEXED).fields == ((b"a", b"b"),)
    decoder.decode(b"\x40\x01c\x01d")
    assert decoder.decode(INDEXED).fields == ((b"c", b"d"),)


def test_an_entry_too_large_for_the_table_empties_it_each_time() -> None:
    decoder = Decoder()
    large = b"\x40\x01a\x7f\xe1\x26" + b"x" * 5088
    decoder.decode(large)
    decoder.decode(WITH_INDEX)
    decoder.decode(large)
    with pytest.raises(FieldsError):
        decoder.decode(INDEXED)


def test_a_block_that_sets_the_tables_size_is_read_each_time() -> None:
    decoder = Decoder()
    none, full = b"\x20", b"\x3f\xe1\x1f"
    decoder.decode(none)
    decoder.decode(full)
    decoder.decode(WITH_INDEX)
    decoder.decode(none)
    decoder.decode(full)
    with pytest.raises(FieldsError):
        decoder.decode(INDEXED)


@pytest.mark.parametrize(
    "block",
    [
        b"\xff" * 40,  # an integer without end
        b"\x00",  # cut short
        b"\x00\x05ab",
        b"\xc8",  # an index that is none
        b"\x80",
        b"\x3f\xe2\x1f",  # a table of 4097 bytes
        b"\x00\x81\xff\x00",  # Huffman code that is none
        encode([(b"a", b"x" * LIST_BYTES_MAX)]),
    ],
)
def test_what_cannot_be_read_is_an_error(block: bytes) -> None:
    with pytest.raises(FieldsError):
        Decoder().decode(block)


def test_a_few_bytes_do_not_become_many_fields() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000)
    with pytest.raises(FieldsError, match="more than"):
        decoder.decode(INDEXED * 1000)


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    with contextlib.suppress(FieldsError):
        assert isinstance(Decoder().decode(data), Block)


def test_a_steady_block_is_remembered_among_many_others() -> None:
    decoder = Decoder()
    for number in range(REMEMBERED_MAX * 3):
        decoder.decode(encode([(b"a", b"%d" % number)]))
    steady = encode([(b"steady", b"1")])
    assert decoder.decode(steady) is decoder.decode(steady)
    assert len(decoder._known) <= REMEMBERED_MAX
