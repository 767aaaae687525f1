"""Flow control (RFC 9113 §5.2): how much may be sent, and how much we let a peer send.

Pure module. One `Allowance` for the connection and one for each stream; `grown` for the other
direction.
"""

from __future__ import annotations

from holdfast.api.transport.http2.frames import WINDOW_MAX

CONNECTION_BYTES = 16 << 20
"""What a peer may have on its way to us on a whole connection."""
STREAM_BYTES = 256 << 10
"""And on one stream, unread. A message may be larger: what is put together counts as read."""


class Allowance:
    """What we let the peer send. It is renewed when half of it is used up."""

    __slots__ = ("_left", "_size", "_used")

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._used = 0  # read, and not yet given back

    def take(self, amount: int) -> bool:
        """The peer has sent so many bytes. False: more than it may."""
        self._left -= amount
        return self._left >= 0

    def give_back(self, amount: int) -> int:
        """So many bytes were read. Returns what to announce in a WINDOW_UPDATE, 0 = not yet."""
        self._used += amount
        if self._used * 2 < self._size:
            return 0
        amount, self._used = self._used, 0
        self._left += amount
        return amount


def grown(window: int, amount: int) -> int | None:
    """What may be sent after an update of the window; None: it would be larger than allowed."""
    window += amount
    return window if window <= WINDOW_MAX else None
