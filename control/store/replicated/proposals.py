"""Group commit: what waits becomes one log entry, and its answers come from apply.

The task `run` takes all that waits as one proposal, as soon as this member leads and the group
before is on this member's disk. Who waits is answered when the entry is applied; when this member
stops leading, an entry under way may still be committed by the next leader, so its outcome is
unknown; what was not proposed yet did not happen.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from contextlib import suppress

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.store import records
from holdfast.control.store.commands import Result
from holdfast.control.store.engine import StoreError, UnknownOutcomeError
from holdfast.control.store.groups import Queue, Waited, Waiting
from holdfast.control.store.replicated.machine import lose

GATHER_S = 0.005
"""When several commands shared a group, the next group begins so long after it began: a
transaction costs the same for one command as for twenty. Who writes alone never waits."""
DROPPED_RETRY_S = 0.02
"""A proposal that the core does not take (too much is uncommitted, or leadership is being handed
over) is tried again after this."""
COMMAND_BYTES_MAX = 3 << 20
"""A command must fit into one message to a peer (4 MiB), or it could never be replicated."""

Propose = Callable[[bytes], tuple[int, int]]
"""Driver.propose."""


class Proposals:
    """The commits of one member on their way."""

    def __init__(self, propose: Propose, stored: Callable[[], int]) -> None:
        """stored: the index of the newest entry on this member's disk."""
        self._propose = propose
        self._stored = stored
        self._queue = Queue()
        self._proposed: dict[int, tuple[int, list[Waiting]]] = {}
        self._wake = asyncio.Event()  # set by add, open, refuse, poke; `run` waits
        self._settled = asyncio.Event()  # set by take and close; `finish` waits
        self._open = False
        self._last = 0  # the newest entry proposed here
        self._gather_until = 0.0  # loop time
        self._refusal: StoreError | None = None

    @property
    def waiting(self) -> int:
        """Commands that are not proposed yet."""
        return len(self._queue)

    def add(self, command: Waited, writes: int, size: int) -> Future[Result]:
        """Queue a command of so many writes and bytes. Raises StoreError: it did not happen."""
        if self._refusal:
            raise self._refusal
        if size > COMMAND_BYTES_MAX:
            raise StoreError(
                f"a write of {size} bytes is too large: at most {COMMAND_BYTES_MAX >> 20} MiB"
            )
        waiting = Waiting(command, writes, size, asyncio.get_running_loop().create_future())
        self._queue.add(waiting)
        self._wake.set()
        return waiting.done

    def open(self) -> None:
        """This member leads: propose."""
        self._open = True
        self._wake.set()

    def close(self, why: StoreError, *, undone: bool) -> None:
        """This member leads no more. undone: what was proposed can never be committed either."""
        self._open = False
        self._last = 0
        while self._queue:
            for one in self._queue.take():
                one.answer(why)
        proposed, self._proposed = self._proposed, {}
        self._settled.set()
        for _, group in proposed.values():
            if undone:
                for one in group:
                    one.answer(why)
            else:
                lose(group, why)

    def refuse(self, why: StoreError) -> None:
        """Take nothing more; what is not proposed is told why, what is proposed goes on."""
        self._refusal = why
        while self._queue:
            for one in self._queue.take():
                one.answer(UnknownOutcomeError(str(why)))
        self._wake.set()

    async def finish(self) -> None:
        """Wait until everything that is proposed is answered."""
        while self._proposed:  # a call may have been cancelled: its entry is still on its way
            self._settled.clear()
            await self._settled.wait()

    def poke(self) -> None:
        """Something became durable: there may be room for the next group."""
        self._wake.set()

    def take(self, index: int, term: int) -> Sequence[Waiting]:
        """Who waits here for this entry, which is being applied; nobody when it is another
        leader's."""
        found = self._proposed.pop(index, None)
        if found is None:
            return ()
        self._settled.set()
        own_term, group = found
        if own_term == term:
            return group
        for one in group:
            one.answer(StoreError("another leader took over before this was done: try again"))
        return ()

    async def run(self) -> None:
        """Propose until cancelled."""
        while True:
            group = await self._next_group()
            data = records.encode([one.command for one in group])
            while not self._put(group, data):
                await self._pause()

    async def _pause(self) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(DROPPED_RETRY_S):
                await self._wake.wait()

    def _put(self, group: list[Waiting], data: bytes) -> bool:
        """Propose a group. False: not taken, try again."""
        if not self._open:  # closed since it was taken
            for one in group:
                one.answer(StoreError("this member lost its leadership: try again"))
            return True
        try:
            index, term = self._propose(data)
        except ProposalDroppedError:
            return False
        except BaseException as error:
            lose(group, error)
            raise
        self._proposed[index] = (term, group)
        self._last = index
        return True

    async def _next_group(self) -> list[Waiting]:
        """All that waits, when the group before it is on disk."""
        while not (self._queue and self._open and self._stored() >= self._last):
            self._wake.clear()
            await self._wake.wait()
        now = asyncio.get_running_loop().time()
        if now < self._gather_until:
            await asyncio.sleep(self._gather_until - now)
            now = self._gather_until
        group = self._queue.take()
        self._gather_until = now + GATHER_S if len(group) > 1 else 0.0
        return group or await self._next_group()
