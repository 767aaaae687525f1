"""One call on a link: the messages that come on its stream, as they are asked for.

The server's and the client's calls build on this. What nobody has asked for yet waits in a queue:
past WAITING_BYTES_MAX the peer's window of this stream stays closed, and the peer waits. What all
streams of a link hold is counted there (`Link.held_bytes`), so that many slow readers together
have a bound as well; `settle` takes this stream's part out when it ends.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import Future
from collections import deque
from typing import TYPE_CHECKING

from holdfast.api.transport.http2.events import DataReceived
from holdfast.api.transport.messages import HEAD_BYTES, MessageError, Splitter

if TYPE_CHECKING:
    from holdfast.api.transport.link import Link

WAITING_BYTES_MAX = 256 << 10
"""Messages nobody asked for yet, on one stream, beside its window; one message may be larger."""
PART_BYTES_MAX = 64 << 10
"""Of an unfinished message, while the link holds as much as it may: it must not grow then."""


class Stream(ABC):
    """The receiving half of a call. `deliver` and `lost` come from the link."""

    __slots__ = ("_held", "_owed", "_settled", "_splitter", "_waiting", "_waiting_bytes", "asked",
                 "link", "number", "over")  # fmt: skip

    def __init__(self, link: Link, number: int, message_bytes_max: int) -> None:
        self.link = link
        self.number = number
        self.over = False  # nothing more will come
        self.asked: Future[None] | None = None  # set when something came; `wait` waits
        self._splitter = Splitter(message_bytes_max)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._owed = 0  # bytes of the stream's window that the peer has not been given back
        self._held = 0  # our part of what the link holds
        self._settled = False

    def deliver(self, event: DataReceived) -> None:
        """Bytes came. Raises MessageError for what is no message we take."""
        link = self.link
        size = len(event.data)
        self._held += size
        link.held_bytes += size
        self._owed += event.size
        for message in self._splitter.split(event.data):
            self._waiting.append(message)
            self._waiting_bytes += len(message)
        if event.ended:
            if self._splitter.held:
                raise MessageError("INTERNAL", "the stream ended within a message")
            self.over = True
        elif link.held_bytes > link.held_bytes_max and self._splitter.held > PART_BYTES_MAX:
            raise MessageError("RESOURCE_EXHAUSTED", "too much waits unread on this connection")
        else:
            self._give_back()
        if self._waiting or event.ended:
            self.wake()

    def take(self) -> bytes | None:
        """The next message that waits, if any."""
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        size = len(message)
        self._waiting_bytes -= size
        if not self._settled:
            self._held -= size + HEAD_BYTES
            self.link.released(size + HEAD_BYTES)
            if self._owed:
                self._give_back()
        return message

    def settle(self) -> None:
        """It has ended: what still waits here is no longer the link's to count."""
        self._settled = True
        if self._held:
            self.link.released(self._held)
            self._held = 0

    async def wait(self) -> None:
        """Until something comes, or nothing more will. One reader a call."""
        if self._waiting or self.over:
            return
        assert self.asked is None, "one reader a call"
        self.asked = asyncio.get_running_loop().create_future()
        try:
            await self.asked
        finally:
            self.asked = None

    def wake(self) -> None:
        """Whoever waits looks again."""
        if self.asked is not None and not self.asked.done():
            self.asked.set_result(None)

    @abstractmethod
    def lost(self, why: str) -> None:
        """The link is gone."""

    def _give_back(self) -> None:
        if self._owed and self._waiting_bytes <= WAITING_BYTES_MAX:
            connection = self.link.connection
            connection.read(self.number, self._owed)
            self._owed = 0
            if connection.out:
                self.link.flush()
