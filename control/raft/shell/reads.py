"""Reads by read index: one round serves all who wait (Raft dissertation 6.4).

A read that comes while a round is under way waits for the next one: the index of a round that
began before the read could be older than what was acknowledged before the read. A round without
an answer (no leader, a lost message) is begun again after some ticks. Pure of the core: `begin`
asks it, `settle` takes its answers.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence

from holdfast.control.raft.ready import ReadState

RETRY_TICKS = 10


class Reads:
    """The reads of one member. ask: hands a context to the core."""

    def __init__(self, member: int, ask: Callable[[bytes], None]) -> None:
        self._prefix = member.to_bytes(8, "big")
        self._ask = ask
        self._number = 0
        self._context = b""  # of the round under way
        self._asked: list[Future[int]] = []
        self._waiting: list[Future[int]] = []
        self._ticks = 0

    def add(self, reader: Future[int]) -> None:
        """A read: the future gets the index that must be applied first."""
        self._waiting.append(reader)
        if not self._asked:
            self._begin()

    def settle(self, states: Sequence[ReadState]) -> None:
        """The core's answers."""
        for state in states:
            if state.context != self._context:
                continue  # of a round that was begun again
            asked, self._asked = self._asked, []
            for reader in asked:
                if not reader.done():
                    reader.set_result(state.index)
            if self._waiting:
                self._begin()

    def tick(self) -> None:
        """A tick has passed."""
        if not self._asked:
            return
        self._ticks += 1
        if self._ticks >= RETRY_TICKS:
            self._asked = [reader for reader in self._asked if not reader.done()]
            if self._asked or self._waiting:
                self._begin()

    def _begin(self) -> None:
        self._asked += self._waiting
        self._waiting = []
        self._ticks = 0
        self._number += 1
        self._context = self._prefix + self._number.to_bytes(8, "big")
        self._ask(self._context)
