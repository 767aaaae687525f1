"""Floods: frames that cost a peer little and us work, bounded by how much of it we bear.

Pure module, `connection`'s own, which tells each such frame as it comes. The link says when time
has passed and when the peer reads what we write. Nothing here waits or drops: what is too much
ends the connection.
"""

from __future__ import annotations

from holdfast.api.transport.http2.events import ProtocolError
from holdfast.api.transport.http2.frames import Code

ANSWERS_UNREAD_MAX = 1000
"""Answers to pings, settings and refused streams that a peer may leave unread."""
EFFORT_MAX = 10_000
"""What a peer may ask for between two calls of `rested`, in frames that carry nothing."""


class Patience:
    """With one peer."""

    __slots__ = ("_answers", "_effort", "_out")

    def __init__(self, out: list[bytes]) -> None:
        """out: where answers are put."""
        self._out = out
        self._answers = 0
        self._effort = 0

    def tire(self, effort: int) -> None:
        """Work that nobody gains from (pings, resets, empty frames…): so much a while. Raises
        ProtocolError."""
        self._effort += effort
        if self._effort > EFFORT_MAX:
            raise ProtocolError(Code.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def answer(self, answer: bytes, effort: int) -> None:
        """Send an answer that costs the peer nothing to ask for: so many unread, and no more.
        Raises ProtocolError."""
        self.tire(effort)
        self._answers += 1
        if self._answers > ANSWERS_UNREAD_MAX:
            raise ProtocolError(Code.ENHANCE_YOUR_CALM, "too many frames that want an answer")
        self._out.append(answer)

    def written(self) -> None:
        """The link's own buffer is not full: the peer reads what we write."""
        self._answers = 0

    def rested(self) -> None:
        """Some time has passed (the link's second): the peer may be as wearying as before."""
        self._effort = 0
