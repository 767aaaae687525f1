"""One end of a connection: what it answers to what, by the RFC's sections."""

from __future__ import annotations

import pytest

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import (
    DataReceived,
    HeadersReceived,
    PingAnswered,
    ProtocolError,
    SettingsReceived,
    StreamReset,
    WentAway,
)
from holdfast.api.transport.http2.fields import LIST_BYTES_MAX
from holdfast.api.transport.http2.floods import ANSWERS_UNREAD_MAX, EFFORT_MAX
from holdfast.api.transport.http2.frames import Code, Setting
from holdfast.api.transport.http2.windows import CONNECTION_BYTES, STREAM_BYTES
from tests.api.transport.http2.peers import (
    BLOCK,
    FIELDS,
    client,
    data,
    headers,
    kinds,
    pair,
    server,
    settle,
    taken,
    told,
)

F = frames.frame
DATA, HEADERS, SETTINGS, CONTINUATION = 0, 1, 4, 9


def test_a_call_there_and_back() -> None:
    one, other = pair()
    stream = one.open(BLOCK)
    one.send_data(stream, b"question", ended=True)
    _, asked = settle(one, other)
    assert told(asked) == [
        ("headers", 1, tuple(FIELDS), False),
        ("data", 1, b"question", True),
    ]
    other.send_headers(1, BLOCK)
    other.send_data(1, b"answer")
    other.send_headers(1, BLOCK, ended=True)
    answered, _ = settle(one, other)
    assert [kind for kind, *_ in told(answered)] == ["headers", "data", "headers"]
    assert one.streams_open == other.streams_open == 0


FAULTS = [
    # §4.2, §4.3
    ("frame too large", b"\x01\x00\x01\x00\x00\x00\x00\x00\x01", Code.FRAME_SIZE_ERROR),
    ("fields interrupted", F(HEADERS, 0, 1, BLOCK) + data(1, b""), Code.PROTOCOL_ERROR),
    ("fields unreadable", headers(1, block=b"\x80"), Code.COMPRESSION_ERROR),
    # §5.1
    ("data on an idle stream", data(1, b"x"), Code.PROTOCOL_ERROR),
    ("reset of an idle stream", frames.rst_stream(1, 0), Code.PROTOCOL_ERROR),
    ("window of an idle stream", frames.window_update(1, 1), Code.PROTOCOL_ERROR),
    ("a server's stream", headers(2), Code.PROTOCOL_ERROR),
    # §6.1, §6.2
    ("data on the connection", data(0, b"x"), Code.PROTOCOL_ERROR),
    ("padding", headers(1) + F(DATA, frames.PADDED, 1, b"\x05abc"), Code.PROTOCOL_ERROR),
    ("padding missing", headers(1) + F(DATA, frames.PADDED, 1), Code.PROTOCOL_ERROR),
    ("fields on the connection", headers(0), Code.PROTOCOL_ERROR),
    ("priority cut", F(HEADERS, 0x24, 1, b"abc"), Code.FRAME_SIZE_ERROR),
    # §6.4 to §6.10
    ("reset size", headers(1) + F(3, 0, 1, b"abc"), Code.FRAME_SIZE_ERROR),
    ("settings size", F(SETTINGS, 0, 0, b"abc"), Code.FRAME_SIZE_ERROR),
    ("settings ack with content", F(SETTINGS, 1, 0, b"abcdef"), Code.FRAME_SIZE_ERROR),
    ("settings on a stream", F(SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    ("push", frames.settings({Setting.ENABLE_PUSH: 2}), Code.PROTOCOL_ERROR),
    ("frame size", frames.settings({Setting.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR),
    ("window", frames.settings({Setting.INITIAL_WINDOW_SIZE: 1 << 31}), Code.FLOW_CONTROL_ERROR),
    ("push promise", F(5, 0, 1, b"abcdef"), Code.PROTOCOL_ERROR),
    ("ping size", F(6, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    ("ping on a stream", F(6, 0, 1, b"12345678"), Code.PROTOCOL_ERROR),
    ("goaway size", F(7, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    ("goaway on a stream", F(7, 0, 1, b"12345678"), Code.PROTOCOL_ERROR),
    ("window size", F(8, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    ("window by nothing", frames.window_update(0, 0), Code.PROTOCOL_ERROR),
    ("window too large", frames.window_update(0, (1 << 31) - 1), Code.FLOW_CONTROL_ERROR),
    ("continuation of nothing", F(CONTINUATION, 4, 1, BLOCK), Code.PROTOCOL_ERROR),
    (
        "continuation of another",
        F(HEADERS, 0, 1, BLOCK) + F(CONTINUATION, 4, 3, BLOCK),
        Code.PROTOCOL_ERROR,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "code"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_what_ends_a_connection(sent: bytes, code: Code) -> None:
    connection = server()
    with pytest.raises(ProtocolError) as caught:
        connection.receive(sent)
    assert caught.value.code is code
    assert connection.receive(headers(1)) == []


STREAM_FAULTS = [
    ("data after the end", data(1, b"x"), Code.STREAM_CLOSED),
    ("fields after the end", headers(1), Code.STREAM_CLOSED),
    ("window by nothing", frames.window_update(1, 0), Code.PROTOCOL_ERROR),
    ("window too large", frames.window_update(1, (1 << 31) - 1), Code.FLOW_CONTROL_ERROR),
]


@pytest.mark.parametrize(
    ("sent", "code"), [f[1:] for f in STREAM_FAULTS], ids=[f[0] for f in STREAM_FAULTS]
)
def test_what_ends_a_stream(sent: bytes, code: Code) -> None:
    connection = server()
    connection.receive(headers(1, ended=True))
    assert connection.receive(sent) == [StreamReset(1, code)]
    assert taken(connection) == frames.rst_stream(1, code)
    assert connection.streams_open == 0
    assert connection.receive(sent) == []  # told once


def test_what_happened_before_a_fault_is_told() -> None:
    connection = server()
    with pytest.raises(ProtocolError) as caught:
        connection.receive(headers(1, ended=True) + data(0, b"x"))
    assert [type(event) for event in caught.value.events] == [HeadersReceived]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.1"]
)
def test_a_client_that_speaks_something_else(sent: bytes) -> None:
    with pytest.raises(ProtocolError, match="does not speak HTTP/2"):
        Connection(client=False, streams_max=1).receive(sent)


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400", b"\x15\x03\x03\x00\x02\x02\x46", headers(1)])
def test_a_server_that_speaks_something_else(sent: bytes) -> None:
    with pytest.raises(ProtocolError, match="does not speak HTTP/2"):
        Connection(client=True, streams_max=0).receive(sent)


def test_a_clients_first_frame_is_settings() -> None:
    connection = Connection(client=False, streams_max=1)
    with pytest.raises(ProtocolError):
        connection.receive(frames.PREFACE + headers(1))


def test_streams_that_wait_for_an_answer_count_against_the_limit() -> None:
    connection = server(streams_max=2)
    connection.receive(headers(1, ended=True) + headers(3, ended=True))
    assert connection.receive(headers(5, ended=True)) == []
    assert taken(connection) == frames.rst_stream(5, Code.REFUSED_STREAM)
    connection.send_headers(1, BLOCK, ended=True)
    assert len(connection.receive(headers(7, ended=True))) == 1


def test_a_client_counts_a_stream_until_both_sides_have_ended() -> None:
    connection = client()
    connection.receive(frames.settings({Setting.MAX_CONCURRENT_STREAMS: 1}))
    stream = connection.open(BLOCK)
    connection.receive(headers(stream, ended=True))
    assert not connection.may_open
    connection.send_data(stream, b"", ended=True)
    assert connection.may_open


def test_settings_that_come_midway_are_told() -> None:
    connection = client()
    sent = frames.settings({Setting.MAX_CONCURRENT_STREAMS: 7})
    assert connection.receive(sent) == [SettingsReceived(first=False)]
    assert connection.peer_streams_max == 7


def test_the_last_of_a_setting_given_twice_counts() -> None:
    one, other = pair()
    pieces = [b"\x00\x04" + size.to_bytes(4, "big") for size in (1, 1 << 20, 5)]
    other.out.append(F(SETTINGS, 0, 0, b"".join(pieces)))
    settle(one, other)
    stream = one.open(BLOCK)
    one.send_data(stream, b"0123456789")
    assert one.unsent(stream) == 5


def test_settings_are_acknowledged_before_what_they_allow_is_sent() -> None:
    one = server()
    one.receive(F(HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, BLOCK))
    one.send_headers(1, BLOCK)
    one.send_data(1, bytes(frames.WINDOW_DEFAULT))
    one.receive(frames.window_update(0, 1 << 20))
    one.send_data(1, b"waits")
    one.out.clear()
    one.receive(frames.settings({Setting.INITIAL_WINDOW_SIZE: 1 << 20}))
    assert [kind for kind, _ in kinds(taken(one))] == [SETTINGS, DATA]


def test_what_waited_goes_in_frames_of_the_size_that_came_with_its_window() -> None:
    one = server()
    one.receive(frames.settings({Setting.MAX_FRAME_SIZE: 1 << 16}))
    one.receive(F(HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, BLOCK))
    one.send_headers(1, BLOCK)
    one.send_data(1, bytes(frames.WINDOW_DEFAULT))
    one.receive(frames.window_update(0, 1 << 20))
    one.send_data(1, bytes(40_000))
    one.out.clear()
    sent = {Setting.INITIAL_WINDOW_SIZE: 1 << 20, Setting.MAX_FRAME_SIZE: 1 << 14}
    one.receive(frames.settings(sent))
    assert [kind for kind, _ in kinds(taken(one))] == [SETTINGS, DATA, DATA, DATA]


def test_a_servers_answer_ends_a_request_that_goes_on() -> None:
    connection = server()
    connection.receive(headers(1))
    connection.send_headers(1, BLOCK, ended=True)
    assert kinds(taken(connection)) == [(frames.HEADERS, 1), (frames.RST_STREAM, 1)]
    assert connection.receive(data(1, b"late")) == []
    assert connection.streams_open == 0


def test_nothing_begins_after_we_left() -> None:
    connection = server()
    connection.receive(headers(1))
    connection.send_goaway(Code.NO_ERROR)
    assert connection.receive(headers(3) + data(3, b"x") + frames.rst_stream(3, 8)) == []
    assert connection.receive(data(1, b"on", ended=True)) == [DataReceived(1, b"on", True, 2)]


def test_a_peer_that_leaves_is_told() -> None:
    sent = frames.goaway(5, 99, b"bye")
    assert client().receive(sent) == [WentAway(5, 99, "bye")]


def test_pings_are_answered() -> None:
    connection = server()
    connection.receive(frames.ping(b"12345678"))
    assert taken(connection) == frames.ping(b"12345678", ack=True)
    assert connection.receive(frames.ping(b"abcdefgh", ack=True)) == [PingAnswered(b"abcdefgh")]


def test_unknown_kinds_of_frames_and_settings_are_ignored() -> None:
    connection = server()
    assert connection.receive(F(77, 255, 3, b"whatever") + F(2, 0, 1, b"12345")) == []
    connection.receive(F(SETTINGS, 0, 0, b"\x00\x77\x00\x00\x00\x01"))


def test_padding_counts_in_windows_and_is_not_delivered() -> None:
    connection = server()
    connection.receive(headers(1))
    sent = F(DATA, frames.PADDED, 1, b"\x03abc\0\0\0")
    assert connection.receive(sent) == [DataReceived(1, b"abc", False, 7)]


# --- windows


def test_a_stream_may_not_exceed_its_window() -> None:
    connection = server()
    connection.receive(headers(1))
    piece = data(1, bytes(65_536))
    for _ in range(STREAM_BYTES // 65_536):
        connection.receive(piece)
    assert connection.receive(data(1, b"x")) == [StreamReset(1, Code.FLOW_CONTROL_ERROR)]


def test_the_connection_may_not_be_exceeded() -> None:
    connection = server(streams_max=1000)
    piece = bytes(65_536)
    with pytest.raises(ProtocolError) as caught:
        for stream in range(1, 1000, 2):
            connection.receive(headers(stream) + data(stream, piece))
    assert caught.value.code is Code.FLOW_CONTROL_ERROR
    assert stream == 2 * (CONNECTION_BYTES // 65_536) + 1


ENDINGS = ["ended", "reset by peer", "reset by us", "answered", "late data", "over its window"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_end_of_a_stream_costs_the_connections_window(ending: str) -> None:
    connection = server()
    connection.receive(headers(1) + data(1, bytes(60_000)))
    sent = {
        "ended": data(1, b"", ended=True),
        "reset by peer": frames.rst_stream(1, Code.CANCEL),
        "over its window": data(1, bytes(60_000)) * 5,
    }
    if ending == "reset by us":
        connection.send_reset(1, Code.CANCEL)
    elif ending in ("answered", "late data"):
        connection.send_headers(1, BLOCK, ended=True)
    if ending == "late data":
        connection.receive(data(1, bytes(50_000)))
    connection.receive(sent.get(ending, b""))
    connection.give_back()
    account = connection._allowance
    assert account._left + account._used == CONNECTION_BYTES


# --- floods


def flood(connection: Connection, sent: bytes) -> int:
    """How often it was taken by a server whose client reads every answer."""
    for count in range(2 * EFFORT_MAX):
        try:
            connection.receive(sent)
        except ProtocolError as error:
            assert error.code is Code.ENHANCE_YOUR_CALM
            return count
        connection.out.clear()
        connection.patience.written()
    raise AssertionError("it was taken for ever")


def reset_at_once() -> int:
    connection = server()
    connection.patience.rested()
    for number in range(EFFORT_MAX):
        stream = 2 * number + 1
        try:
            connection.receive(headers(stream, ended=True) + frames.rst_stream(stream, 8))
        except ProtocolError as error:
            assert error.code is Code.ENHANCE_YOUR_CALM
            return number
    raise AssertionError("it was taken for ever")


def test_rapid_resets_are_bounded() -> None:
    assert reset_at_once() == EFFORT_MAX // 2


@pytest.mark.parametrize(
    ("begin", "sent", "bound"),
    [
        (b"", frames.ping(b"12345678"), EFFORT_MAX),
        (b"", frames.settings({}), EFFORT_MAX // 20),
        (headers(1), data(1, b""), EFFORT_MAX),
        (b"", F(2, 0, 1, b"12345"), EFFORT_MAX),
        (F(HEADERS, 0, 1), F(CONTINUATION, 0, 1), EFFORT_MAX),
    ],
    ids=["ping", "settings", "empty data", "priority", "empty continuation"],
)
def test_frames_that_carry_nothing_are_bounded(begin: bytes, sent: bytes, bound: int) -> None:
    connection = server()
    connection.patience.rested()
    connection.receive(begin)
    connection.patience.rested()
    assert flood(connection, sent) == bound


def test_after_a_rest_as_much_is_taken_again() -> None:
    connection = server()
    for _ in range(3):
        for _ in range(100):
            connection.receive(frames.ping(b"12345678") * 90)
            connection.patience.written()
        connection.patience.rested()


def test_answers_that_nobody_reads_are_bounded() -> None:
    connection = server()
    with pytest.raises(ProtocolError, match="answer"):
        connection.receive(frames.ping(b"12345678") * (ANSWERS_UNREAD_MAX + 1))
    assert len(connection.out) <= ANSWERS_UNREAD_MAX


def test_fields_without_end_are_bounded() -> None:
    connection = server()
    connection.receive(F(HEADERS, 0, 1, BLOCK))
    with pytest.raises(ProtocolError) as caught:
        for _ in range(LIST_BYTES_MAX):
            connection.receive(F(CONTINUATION, 0, 1, b"x" * 1000))
    assert caught.value.code is Code.ENHANCE_YOUR_CALM
