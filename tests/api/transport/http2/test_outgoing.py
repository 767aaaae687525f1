"""Frames held back by windows: order, turns, ends."""

from __future__ import annotations

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.outgoing import Outgoing
from tests.api.transport.http2.peers import kinds


class Sent:
    """An Outgoing with a look at what it put out."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.ended: list[int] = []
        self.going = Outgoing(self.out, self.ended.append)

    def sizes(self) -> list[tuple[int, int]]:
        """(stream, bytes) of each frame put out since the last time."""
        sent = [(int.from_bytes(one[5:9], "big"), len(one) - 9) for one in self.out]
        self.out.clear()
        return sent


def opened(*streams: int, window: int = 65_535) -> Sent:
    sent = Sent()
    sent.going.stream_window(window)
    for stream in streams:
        sent.going.open(stream)
    return sent


def test_data_waits_for_its_streams_window_and_trailers_wait_for_it() -> None:
    sent = opened(1, window=10)
    sent.going.data(1, b"x" * 25, False)
    sent.going.headers(1, b"t", True)
    assert sent.sizes() == [(1, 10)]
    assert sent.going.unsent(1) == sent.going.unsent_bytes == 15
    sent.going.window_grew(1, 10)
    assert sent.sizes() == [(1, 10)]
    assert sent.ended == []
    sent.going.window_grew(1, 10)
    assert kinds(b"".join(sent.out)) == [(frames.DATA, 1), (frames.HEADERS, 1)]
    assert sent.ended == [1]
    assert sent.going.drained == [1]
    assert sent.going.unsent_bytes == 0


def test_the_end_of_a_stream_goes_with_its_last_data() -> None:
    sent = opened(1, window=10)
    sent.going.data(1, b"x" * 15, True)
    assert sent.out[0][4] == 0
    sent.going.window_grew(1, 10)
    assert sent.out[1][4] == frames.END_STREAM


def test_an_empty_end_needs_no_window() -> None:
    sent = opened(1, window=0)
    sent.going.data(1, b"", True)
    assert sent.ended == [1]


def test_streams_take_turns_when_the_connections_window_opens() -> None:
    sent = opened(1, 3, 5, window=1 << 20)
    sent.going.data(1, b"x" * 100_000, False)  # all of the connection's 65,535
    sent.going.data(3, b"y" * 40_000, False)
    sent.going.data(5, b"z" * 100, False)
    sent.sizes()
    sent.going.window_grew(0, 40_000)
    assert sent.sizes() == [(1, 16_384), (3, 16_384), (5, 100), (1, 7_132)]
    sent.going.window_grew(0, 20_000)
    assert [stream for stream, _ in sent.sizes()] == [3, 1]


def test_a_smaller_window_may_be_owed() -> None:
    sent = opened(1, window=100)
    sent.going.data(1, b"x" * 100, False)
    sent.going.stream_window(40)  # now at -60
    sent.going.data(1, b"y" * 10, False)
    sent.sizes()
    sent.going.window_grew(1, 60)
    assert sent.sizes() == []
    sent.going.window_grew(1, 4)
    assert sent.sizes() == [(1, 4)]


def test_a_large_message_is_not_copied_again_for_each_frame() -> None:
    sent = opened(1, window=0)
    message = bytes(8 << 20)
    sent.going.data(1, message, False)
    for _ in range(2000):
        sent.going.window_grew(1, 1)
    assert sent.going._streams[1].waiting[0] is message


def test_a_closed_stream_leaves_nothing() -> None:
    sent = opened(1, window=0)
    sent.going.data(1, b"x" * 10, False)
    sent.going.close(1)
    assert sent.going.unsent_bytes == 0
    sent.going.window_grew(1, 10)
    sent.going.data(1, b"x", False)
    assert sent.out == []


def test_many_fields_go_on_in_more_frames() -> None:
    sent = opened(1)
    sent.going.headers(1, b"x" * 40_000, False)
    assert kinds(b"".join(sent.out)) == [
        (frames.HEADERS, 1),
        (frames.CONTINUATION, 1),
        (frames.CONTINUATION, 1),
    ]
    assert [one[4] for one in sent.out] == [0, 0, frames.END_HEADERS]
