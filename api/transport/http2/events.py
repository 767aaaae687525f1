"""What happens on a connection, as values, and how a peer's breach of the rules is told.

Pure module. `connection` makes them, `link` hands them on in the order of the frames.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.api.transport.http2.fields import Block
from holdfast.api.transport.http2.frames import Code


class HeadersReceived(NamedTuple):
    """Fields came on a stream: a request, an answer, or trailers. ended: nothing comes after."""

    stream: int
    block: Block
    ended: bool


class DataReceived(NamedTuple):
    """size: what to give back to `read` when the data was used, padding included."""

    stream: int
    data: bytes
    ended: bool
    size: int


class StreamReset(NamedTuple):
    """The peer, or we for what it did wrong, ended a stream."""

    stream: int
    code: int


class WentAway(NamedTuple):
    """The peer takes no streams above `last_stream`."""

    last_stream: int
    code: int
    text: str


class PingAnswered(NamedTuple):
    """The peer lives."""

    data: bytes


class SettingsReceived(NamedTuple):
    """The peer's bounds are known, or others than before. first: it speaks HTTP/2."""

    first: bool


StreamEvent = HeadersReceived | DataReceived | StreamReset
Event = StreamEvent | WentAway | PingAnswered | SettingsReceived


class ProtocolError(Exception):
    """The peer broke the rules: say so with `send_goaway` and close.

    events: what happened before that, out of the same bytes.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.events: list[Event] = []
