"""Properties: how bytes are cut does not matter, no bytes break it, windows hold and deliver."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import DataReceived, Event, ProtocolError
from holdfast.api.transport.http2.frames import Setting
from tests.api.transport.http2.peers import (
    BLOCK,
    GREETING,
    data,
    headers,
    pair,
    server,
    settle,
    taken,
    told,
)

STREAM = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 2])
FRAME = st.one_of(
    st.builds(headers, STREAM, ended=st.booleans()),
    st.builds(data, STREAM, st.binary(max_size=30), ended=st.booleans()),
    st.builds(frames.rst_stream, STREAM, st.integers(0, 20)),
    st.builds(frames.window_update, STREAM, st.integers(0, 1 << 20)),
    st.builds(frames.goaway, STREAM, st.integers(0, 20)),
    st.just(frames.ping(b"12345678")),
    st.just(frames.settings({Setting.INITIAL_WINDOW_SIZE: 9})),
    st.builds(
        frames.frame,
        st.integers(0, 12),
        st.integers(0, 255),
        STREAM,
        st.binary(max_size=20),
    ),
)


def fed(connection: Connection, pieces: list[bytes]) -> tuple[list[Event], str, bytes]:
    """What happened, how it ended, and what was answered."""
    events: list[Event] = []
    for piece in pieces:
        try:
            events += connection.receive(piece)
        except ProtocolError as error:
            return events + error.events, str(error), taken(connection)
    return events, "", taken(connection)


@given(st.lists(FRAME, max_size=12), st.lists(st.integers(1, 60), max_size=30))
def test_any_cut_of_the_bytes_tells_the_same(sent: list[bytes], cuts: list[int]) -> None:
    whole = GREETING + b"".join(sent)
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(whole[start : start + cut])
        start += cut
    pieces.append(whole[start:])
    at_once = fed(Connection(client=False, streams_max=2), [whole])
    in_pieces = fed(Connection(client=False, streams_max=2), pieces)
    assert (told(at_once[0]), *at_once[1:]) == (told(in_pieces[0]), *in_pieces[1:])


@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_no_bytes_raise_anything_else(sent: bytes, client: bool, greeted: bool) -> None:
    connection = Connection(client=client, streams_max=2)
    connection.start()
    try:
        if greeted:
            connection.receive(frames.settings({}) if client else GREETING)
        if client:
            connection.open(BLOCK)
        connection.receive(sent)
    except ProtocolError:
        pass


@given(st.lists(FRAME, max_size=40))
def test_an_ended_stream_leaves_nothing(sent: list[bytes]) -> None:
    connection = server(streams_max=5)
    try:
        connection.receive(b"".join(sent))
    except ProtocolError:
        return
    for stream in (1, 3, 5):
        connection.send_headers(stream, BLOCK, ended=True)
        connection.send_reset(stream, frames.Code.CANCEL)
    assert connection.streams_open == 0
    assert not connection._incoming
    assert not connection._outgoing._streams
    assert connection.unsent_bytes == 0
    connection.give_back()
    account = connection._allowance
    assert account._left + account._used == account._size


class Watched:
    """The receiving side of tiny windows: grants them a little at a time and counts."""

    def __init__(self, window: int, connection_window: int) -> None:
        self.window = window
        self.stream_left: dict[int, int] = {}
        self.left = connection_window
        self.got: dict[int, bytes] = {}

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived):
                self.got[event.stream] = self.got.get(event.stream, b"") + event.data
                left = self.stream_left.get(event.stream, self.window) - len(event.data)
                self.stream_left[event.stream] = left
                self.left -= len(event.data)
                assert left >= 0
                assert self.left >= 0


@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 4), st.binary(max_size=60)),
            st.tuples(st.just("grant"), st.integers(0, 4), st.integers(1, 50)),
            st.tuples(st.just("carry"), st.just(0), st.just(0)),
        ),
        max_size=60,
    ),
)
def test_tiny_windows_hold_and_everything_comes_in_order(
    window: int, steps: list[tuple[str, int, bytes | int]]
) -> None:
    one, other = pair()
    other.out.append(frames.settings({Setting.INITIAL_WINDOW_SIZE: window}))
    settle(one, other)
    streams = [one.open(BLOCK) for _ in range(5)]
    settle(one, other)
    watched, sent = Watched(window, 1 << 40), dict.fromkeys(streams, b"")
    for what, index, value in steps:
        stream = streams[index]
        if what == "send":
            assert isinstance(value, bytes)
            one.send_data(stream, value)
            sent[stream] += value
        elif what == "grant":
            assert isinstance(value, int)
            left = watched.stream_left.setdefault(stream, window)
            watched.stream_left[stream] = left + value
            one.receive(frames.window_update(stream, value))
        else:
            watched.take(other.receive(taken(one)))
    for stream in streams:
        assert len(sent[stream]) >= one.unsent(stream)
        watched.stream_left[stream] = watched.stream_left.get(stream, window) + 10_000
        one.receive(frames.window_update(stream, 10_000))
    watched.take(other.receive(taken(one)))
    assert {s: watched.got.get(s, b"") for s in streams} == sent
    assert one.unsent_bytes == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40_000)), max_size=12))
def test_the_connections_window_is_shared_and_never_exceeded(sends: list[tuple[int, int]]) -> None:
    """65,535 bytes at a time on the connection, while the streams' own windows are wide."""
    sender = Connection(client=True, streams_max=0)
    sender.start()
    sender.receive(frames.settings({Setting.INITIAL_WINDOW_SIZE: 1 << 24}))
    receiver = server()
    streams = [sender.open(BLOCK) for _ in range(3)]
    taken_bytes = taken(sender)
    receiver.receive(taken_bytes[taken_bytes.index(headers(1)) :])
    wanted = dict.fromkeys(streams, 0)
    got, in_flight = dict.fromkeys(streams, 0), 0
    for index, size in sends:
        sender.send_data(streams[index], bytes(size))
        wanted[streams[index]] += size
    while True:
        for event in receiver.receive(taken(sender)):
            assert isinstance(event, DataReceived)
            got[event.stream] += event.size
            in_flight += event.size
            receiver.read(event.stream, event.size)
        assert in_flight <= 65_535
        if not sender.unsent_bytes:
            break
        sender.receive(frames.window_update(0, in_flight))
        in_flight = 0
    assert got == wanted
