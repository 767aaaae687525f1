"""Two connections joined in memory, and what one end has to say to the other, as bytes."""

from __future__ import annotations

from holdfast.api.transport.http2 import frames
from holdfast.api.transport.http2.connection import Connection
from holdfast.api.transport.http2.events import DataReceived, Event, HeadersReceived
from holdfast.api.transport.http2.fields import encode

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/s/m")]
BLOCK = encode(FIELDS)
GREETING = frames.PREFACE + frames.settings({})


def taken(connection: Connection) -> bytes:
    """What it has put out."""
    data = b"".join(connection.out)
    connection.out.clear()
    return data


def server(streams_max: int = 100) -> Connection:
    """A server whose client has said hello."""
    connection = Connection(client=False, streams_max=streams_max)
    connection.start()
    connection.receive(GREETING)
    connection.out.clear()
    connection.patience.written()
    return connection


def client() -> Connection:
    """A client whose server has said hello."""
    connection = Connection(client=True, streams_max=0)
    connection.start()
    connection.receive(frames.settings({}))
    connection.out.clear()
    return connection


def headers(stream: int, *, ended: bool = False, block: bytes = BLOCK) -> bytes:
    """A HEADERS frame."""
    flags = frames.END_HEADERS | (frames.END_STREAM if ended else 0)
    return frames.frame(frames.HEADERS, flags, stream, block)


def data(stream: int, payload: bytes, *, ended: bool = False) -> bytes:
    """A DATA frame."""
    return frames.frame(frames.DATA, frames.END_STREAM if ended else 0, stream, payload)


def kinds(sent: bytes) -> list[tuple[int, int]]:
    """(kind, stream) of each frame."""
    found, start = [], 0
    while start < len(sent):
        size = int.from_bytes(sent[start : start + 3], "big")
        found.append((sent[start + 3], int.from_bytes(sent[start + 5 : start + 9], "big")))
        start += 9 + size
    return found


def pair(streams_max: int = 100) -> tuple[Connection, Connection]:
    """A client and a server that have greeted each other."""
    one = Connection(client=True, streams_max=0)
    other = Connection(client=False, streams_max=streams_max)
    one.start()
    other.start()
    settle(one, other)
    return one, other


def settle(one: Connection, other: Connection) -> tuple[list[Event], list[Event]]:
    """Carry bytes until neither has more to say, what was received being read at once."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    while one.out or other.out:
        for sender, receiver, events in ((one, other, seen[1]), (other, one, seen[0])):
            sent = taken(sender)
            sender.patience.written()
            sender.patience.rested()
            new = receiver.receive(sent)
            for event in new:
                if isinstance(event, DataReceived):
                    receiver.read(event.stream, event.size)
            receiver.give_back()
            events += new
    return seen


def told(events: list[Event]) -> list[tuple[str, int, object, bool]]:
    """Stream events without what depends on how bytes were cut."""
    found: list[tuple[str, int, object, bool]] = []
    for event in events:
        if isinstance(event, DataReceived):
            found.append(("data", event.stream, event.data, event.ended))
        elif isinstance(event, HeadersReceived):
            found.append(("headers", event.stream, event.block.fields, event.ended))
        else:
            found.append((type(event).__name__, 0, tuple(event), False))
    return found
