"""The appends on their way to one follower: how many, how large, up to which index.

Pure module. A leader adds each append it sends and frees them by the index the follower
acknowledges. The window is full at a number of messages or of bytes; the owner (`Progress`) asks
`full` before each `add` and pauses the flow while it is so.
"""

from __future__ import annotations

from collections import deque


class Inflights:
    """A window of sent and unacknowledged appends, oldest first.

    Bounded by `size` messages. The limit of bytes is soft: one message may pass it, none follows
    until some are freed; so a message larger than the limit can still be sent.
    """

    __slots__ = ("_bytes", "_window", "max_bytes", "size")

    def __init__(self, size: int, max_bytes: int = 0) -> None:
        """Make an empty window.

        Args:
            size: how many messages may be on their way, ≥ 1.
            max_bytes: how many bytes of entries may be, 0 for no limit.
        """
        self.size = size
        self.max_bytes = max_bytes
        self._window: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def add(self, index: int, size_bytes: int) -> None:
        """Note that an append was sent.

        Args:
            index: the index of its last entry; never below that of the append before.
            size_bytes: the bytes of its entries.

        Raises:
            AssertionError: the window is full; the caller asks `full` first.
        """
        if self.full():
            raise AssertionError("an append was sent although the window of inflights is full")
        self._window.append((index, size_bytes))
        self._bytes += size_bytes

    def free_le(self, index: int) -> None:
        """Forget the appends whose last entry is at or below `index`."""
        window = self._window
        while window and window[0][0] <= index:
            self._bytes -= window.popleft()[1]

    def full(self) -> bool:
        """Return whether no further append may be sent."""
        if len(self._window) >= self.size:
            return True
        return self.max_bytes != 0 and self._bytes >= self.max_bytes

    def count(self) -> int:
        """Return how many appends are on their way."""
        return len(self._window)

    def bytes(self) -> int:
        """Return how many bytes of entries are on their way."""
        return self._bytes

    def reset(self) -> None:
        """Forget all: what was sent before a change of state is not waited for."""
        self._window.clear()
        self._bytes = 0

    def clone(self) -> Inflights:
        """Return an equal window that shares nothing with this one."""
        twin = Inflights(self.size, self.max_bytes)
        twin._window = self._window.copy()
        twin._bytes = self._bytes
        return twin
