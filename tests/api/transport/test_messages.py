"""Messages on a stream of bytes."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.transport.messages import MessageError, Splitter, framed


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 20)))
def test_any_cut_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(framed(one) for one in messages)
    splitter, got, start = Splitter(100), [], 0
    for cut in [*cuts, len(whole) + 1]:
        got += splitter.split(whole[start : start + cut])
        start += cut
    assert got == messages
    assert splitter.held == 0


def test_an_unfinished_message_is_held() -> None:
    splitter = Splitter(100)
    assert splitter.split(framed(b"abc") + b"\0\0") == [b"abc"]
    assert splitter.held == 2


def test_small_pieces_take_no_more_memory_than_they_have() -> None:
    splitter = Splitter(1 << 20)
    splitter.split(framed(bytes(100_000))[:5])
    for _ in range(90_000):
        splitter.split(b"x")
    assert sys.getsizeof(splitter._part) < 200_000


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\0\0\0\0\x65", "RESOURCE_EXHAUSTED", r"larger than max \(101 vs. 100\)"),
        (b"\0\xff\xff\xff\xff", "RESOURCE_EXHAUSTED", "larger"),
        (b"\1\0\0\0\1x", "UNIMPLEMENTED", "compressed"),
    ],
)
def test_what_is_refused(data: bytes, code: str, words: str) -> None:
    with pytest.raises(MessageError, match=words) as caught:
        Splitter(100).split(data)
    assert caught.value.code == code
