"""One call on a link: the messages that come on its stream, as they are asked for.

The server's and the client's calls build on this. What nobody has asked for yet waits in a queue
of a bounded size: past it the peer's window stays closed, and the peer waits.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import Future
from collections import deque
from typing import TYPE_CHECKING

from holdfast.api.transport.connection import DataReceived
from holdfast.api.transport.frames import Code
from holdfast.api.transport.messages import MessageError, Splitter

if TYPE_CHECKING:
    from holdfast.api.transport.link import Link

WAITING_BYTES_MAX = 256 << 10
"""Messages nobody asked for yet, on one stream; one message may be larger."""


class Stream(ABC):
    """The receiving half of a call. `deliver`, `finish` and `lost` come from the link."""

    __slots__ = ("_owed", "_splitter", "_waiting", "_waiting_bytes", "asked", "link", "number",
                 "over")  # fmt: skip

    def __init__(self, link: Link, number: int, message_bytes_max: int) -> None:
        self.link = link
        self.number = number
        self.over = False  # nothing more will come
        self.asked: Future[None] | None = None  # set when something came; `wait` waits
        self._splitter = Splitter(message_bytes_max)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._owed = 0  # bytes of window that the peer has not been given back

    def deliver(self, event: DataReceived) -> None:
        """Bytes came. Raises MessageError for what is no message we take."""
        self._owed += event.size
        for message in self._splitter.split(event.data):
            self._waiting.append(message)
            self._waiting_bytes += len(message)
        if event.ended and not self._splitter.whole:
            raise MessageError("INTERNAL", "the stream ended within a message")
        self._give_back()
        if event.ended:
            self.over = True
        if self._waiting or event.ended:
            self.wake()

    def take(self) -> bytes | None:
        """The next message that waits, if any."""
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        if self._owed:
            self._give_back()
        return message

    async def wait(self) -> None:
        """Until something comes, or nothing more will."""
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

    def reset(self, code: Code) -> None:
        """End it from our side, at once."""
        self.over = True
        self.link.connection.send_reset(self.number, code)
        self.link.flush()
        self.link.forget(self.number)

    @abstractmethod
    def lost(self, why: str) -> None:
        """The link is gone."""

    def _give_back(self) -> None:
        if self._owed and self._waiting_bytes <= WAITING_BYTES_MAX:
            self.link.connection.read(self.number, self._owed)
            self._owed = 0
            if self.link.connection.out:
                self.link.flush()
