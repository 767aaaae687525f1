"""The leader's commits on their way: queued, judged, packed, sent one transaction at a time.

`run` is one term. A transaction whose answer was lost is sent again until it is known what came of
it: it was made, or the term is over and it never will be. Only then is the next one judged. Who
waits longer than PATIENCE_S hears that the outcome is unknown, and new commits are refused until
etcd answers again.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Commit, Compact, Result
from holdfast.control.store.engine import (
    FatalStoreError,
    NotLeaderError,
    StoreError,
    UnknownOutcomeError,
)
from holdfast.control.store.etcd import folding
from holdfast.control.store.etcd.connection import (
    PATIENCE_S,
    PAUSE_MAX_S,
    PAUSE_S,
    Connection,
    UnreachableError,
)
from holdfast.control.store.etcd.planning.batches import Batch, Fence
from holdfast.control.store.etcd.replica import Replica
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.groups import Queue, Waiting

log = structlog.get_logger()

SPENT = "this commit id is too old: what came of its commit is no longer known"
NOT_BEGUN = "this control node leads no more, and the commit had not begun: try again"

Command = Commit | Compact


class LostError(Exception):
    """This control node does not lead any more. What was not answered did not happen."""


class _MovedError(Exception):
    """A transaction of ours that had been given up was made after all: judge anew."""

    def __init__(self, main: int) -> None:
        super().__init__(main)
        self.main = main


class _Taken(NamedTuple):
    """A command that is in a transaction, and what it is answered when that is made."""

    waiting: Waiting
    result: Result


class Writer:
    """Takes commits while it leads (`term` above 0)."""

    def __init__(self, connection: Connection, layout: Layout, replica: Replica) -> None:
        self.term = 0
        self._connection = connection
        self._layout = layout
        self._replica = replica
        self._queue = Queue()
        self._wake = asyncio.Event()  # set by add; `_next_group` waits
        self._idle = asyncio.Event()  # set when nothing waits or is under way; `finish` waits
        self._idle.set()
        self._stuck: StoreError | None = None
        self._number = 0

    def add(self, command: Command, writes: int, size: int) -> Future[Result]:
        """Queue a command of so many writes and bytes; while `term` is above 0.

        Raises StoreError: it did not happen.
        """
        if self._stuck:
            raise self._stuck
        waiting = Waiting(command, writes, size, asyncio.get_running_loop().create_future())
        self._queue.add(waiting)
        self._idle.clear()
        self._wake.set()
        return waiting.done

    async def run(self, term: int, began: Callable[[], None]) -> None:
        """Lead one term until cancelled. began: called when its first transaction is applied.

        Raises LostError when another one leads, FatalStoreError.
        """
        await self._replica.until(term)
        try:
            opening = self._batch(term)
            opening.opening = True
            await self._send(term, opening, [])
            if self._replica.head.term != term:
                raise LostError
            self.term = term
            began()
            while True:
                await self._write_group(term, await self._next_group())
        except _MovedError as error:
            raise FatalStoreError(
                f"{self._connection.target}: the store's head was written by another program"
            ) from error
        finally:
            self.term = 0
            self._stuck = None
            self._idle.set()

    async def finish(self) -> None:
        """Wait until everything that was added is answered."""
        if self.term:
            await self._idle.wait()

    def refuse(self, why: StoreError) -> None:
        """Answer all that still wait in the queue: they did not happen."""
        while self._queue:
            for one in self._queue.take():
                one.answer(why)

    def _batch(self, term: int) -> Batch:
        """An empty one, with a number that none of this term had."""
        self._number = max(self._number, self._replica.head.number) + 1
        return Batch(self._replica.image, term, self._number)

    async def _next_group(self) -> deque[Waiting]:
        while not self._queue:
            self._wake.clear()
            self._idle.set()
            await self._wake.wait()
            self._idle.clear()
        return deque(self._queue.take())

    async def _write_group(self, term: int, group: deque[Waiting]) -> None:
        """Write all of a group, in as many transactions as it takes."""
        taken: list[_Taken] = []
        try:
            while group:
                batch = self._batch(term)
                taken = self._fill(batch, group)
                if not taken:
                    continue
                try:
                    await self._send(term, batch, taken)
                except _MovedError as moved:
                    group.extendleft(one.waiting for one in reversed(taken))
                    await self._replica.until(moved.main)
                taken = []
        except LostError as error:
            _lose([*(one.waiting for one in taken), *group], NotLeaderError(NOT_BEGUN))
            raise error
        except BaseException as error:
            why = str(error) or "this control node leads no more"
            unknown = UnknownOutcomeError(f"the commit may or may not have happened: {why}")
            _lose((one.waiting for one in taken), unknown)
            _lose(group, NotLeaderError(NOT_BEGUN))
            raise

    def _fill(self, batch: Batch, group: deque[Waiting]) -> list[_Taken]:
        """Move what fits from a group into a batch; repeats are answered at once."""
        taken: list[_Taken] = []
        retries = self._replica.image.retries
        while group:
            one = group[0]
            command = one.command
            if isinstance(command, Compact):
                batch.raise_floor(command.floor)
                taken.append(_Taken(one, Result((), self._replica.image.revision)))
            elif command.id and retries.spent(command.id):
                one.answer(UnknownOutcomeError(SPENT))
            elif command.id and (first := retries.find(command.id)) is not None:
                same = len(first.outcomes) == len(command.writes)
                one.answer(first if same else UnknownOutcomeError(SPENT))
            else:
                result = batch.add(command, one.bytes)
                if result is None:
                    break
                taken.append(_Taken(one, result))
            group.popleft()
        return taken

    async def _send(self, term: int, batch: Batch, taken: list[_Taken]) -> None:
        """Make one transaction and answer who waits for it. Raises LostError, _MovedError."""
        fence = Fence(term, self._replica.head_main)
        try:
            main = await self._settle(batch.request(self._layout, fence), fence, batch, taken)
        except (LostError, FatalStoreError, _MovedError):
            raise
        except StoreError as error:
            for one in taken:
                one.waiting.answer(error)
            return
        if batch.writes:
            await self._replica.until(main)
        for one in taken:
            result = values.settled(one.result, lambda sub: self._replica.revisions.of(main, sub))
            one.waiting.answer(result)

    async def _settle(
        self, request: etcd.TxnRequest, fence: Fence, batch: Batch, taken: list[_Taken]
    ) -> int:
        """Send until it is known what came of it; etcd's revision of it.

        Raises StoreError when it was not made and will not be, LostError, _MovedError.
        """
        now = asyncio.get_running_loop().time
        give_up, pause, unsure = now() + PATIENCE_S, PAUSE_S, False
        while True:
            try:
                reply = await self._connection.attempt(lambda member: member.kv.Txn, request)
            except UnreachableError as error:
                unsure = True
                if now() > give_up and not self._stuck:
                    self._give_up(taken, error)
            except StoreError as error:
                # etcd may say "full" of one that it made: look before believing it.
                found = await self._look(fence, batch)
                if found and not found.succeeded:
                    return self._outcome(found, fence, batch)
                if found and not unsure:
                    raise
                unsure = True
                if now() > give_up and not self._stuck:
                    self._give_up(taken, error)
            else:
                self._stuck = None
                return self._outcome(reply, fence, batch)
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_MAX_S)

    async def _look(self, fence: Fence, batch: Batch) -> etcd.TxnResponse | None:
        """What a transaction's compares say now; None when etcd does not answer."""
        check = batch.request(self._layout, fence)
        del check.success[:]
        try:
            reply = await self._connection.attempt(lambda member: member.kv.Txn, check)
        except UnreachableError:
            return None
        assert isinstance(reply, etcd.TxnResponse)
        return reply

    def _give_up(self, taken: list[_Taken], error: StoreError) -> None:
        """Nobody waits for etcd any longer, but the transaction is settled all the same."""
        log.warning("etcd does not answer", error=str(error))
        self._stuck = error
        unknown = UnknownOutcomeError(f"the commit may or may not have happened: {error}")
        _lose((one.waiting for one in taken), unknown)
        self.refuse(error)

    def _outcome(self, reply: etcd.TxnResponse, fence: Fence, batch: Batch) -> int:
        """etcd's revision of a transaction that was answered. Raises as `_settle`."""
        if reply.succeeded:
            return reply.header.revision
        leaders, heads = (one.response_range.kvs for one in reply.responses)
        if not heads:
            raise FatalStoreError(f"{self._connection.target}: the store's head was deleted")
        head = folding.decoded(values.decode_head, heads[0])
        if (head.term, head.number) == (fence.term, batch.number):
            return heads[0].mod_revision
        if not leaders or leaders[0].create_revision != fence.term:
            raise LostError
        raise _MovedError(heads[0].mod_revision)


def _lose(group: Iterable[Waiting], why: StoreError) -> None:
    for one in group:
        one.answer(why)
