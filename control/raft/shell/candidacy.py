"""Asking for votes at once when the leader's process is gone, before the election's time is up.

At a random moment, so that votes differ, and again while nobody leads: a vote that is asked for
before the others have noticed is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.control.raft.node import RawNode
from holdfast.control.raft.shell.seams import Observer, Setup

STANDS = 4
"""How often votes are asked for at once when the leader's process is gone; then it is as always."""


class Candidacy:
    """Of one member. stand: asks for votes, if this node is the member's still, it may, and nobody
    leads; otherwise returns False, and is not called again."""

    def __init__(self, setup: Setup, observer: Observer, stand: Callable[[RawNode], bool]) -> None:
        self._setup = setup
        self._observer = observer
        self._stand = stand

    def begin(self, node: RawNode) -> None:
        """The leader is gone."""
        self._later(node, STANDS)

    def _later(self, node: RawNode, times: int) -> None:
        delay = self._setup.pace.rejoin_s * self._setup.randomness(1_000) / 1_000
        asyncio.get_running_loop().call_later(delay, self._now, node, times)

    def _now(self, node: RawNode, times: int) -> None:
        try:
            again = self._stand(node)
        except BaseException as error:
            self._observer.failed(error)
            raise
        if again and times > 1:
            self._later(node, times - 1)
