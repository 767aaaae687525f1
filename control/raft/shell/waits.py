"""Who waits for an index to be applied, or for the member's standing to change.

The driver wakes them; cancelled waits are passed over. Not for threads.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable

from holdfast.control.raft.shell.seams import View


class Waits:
    """The futures of those who wait."""

    def __init__(self) -> None:
        self._reaching: list[tuple[int, Future[None]]] = []
        self._turning: list[Future[None]] = []

    async def reach(self, index: int, applied: Callable[[], int]) -> None:
        """Wait until this index is applied."""
        if applied() >= index:
            return
        waiting: Future[None] = asyncio.get_running_loop().create_future()
        self._reaching.append((index, waiting))
        await waiting

    def reached(self, applied: int) -> None:
        """Everything up to this index is applied."""
        left = []
        for index, waiting in self._reaching:
            if index > applied:
                if not waiting.done():
                    left.append((index, waiting))
            elif not waiting.done():
                waiting.set_result(None)
        self._reaching = left

    async def until(self, wanted: Callable[[View], bool], view: Callable[[], View]) -> None:
        """Wait until the view is as wanted."""
        while not wanted(view()):
            waiting: Future[None] = asyncio.get_running_loop().create_future()
            self._turning.append(waiting)
            await waiting

    def turned(self) -> None:
        """The view has changed."""
        turning, self._turning = self._turning, []
        for waiting in turning:
            if not waiting.done():
                waiting.set_result(None)
