"""Group commit: from what waits, over the disk, into memory, to the answers.

Two tasks in a row. `write` takes all that waits as one log entry and makes it durable, in one
transaction with the rows of what was applied before. `apply` then applies it in memory, tells
the listeners and answers, while `write` is already at the next group. When a task ends by an
error its owner cancels the other; whoever still waits is told that the outcome is unknown.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from holdfast.control.store import image, records
from holdfast.control.store.behind import Behind, Entry
from holdfast.control.store.commands import Change, Compact, Result
from holdfast.control.store.engine import DiskFullError, StoreError, UnknownOutcomeError
from holdfast.control.store.groups import Queue, Waiting
from holdfast.control.store.opening import Opened
from holdfast.control.store.records import Command

GATHER_S = 0.005
"""When several commands shared a group, the next group begins so long after it began: a
transaction costs the same for one command as for twenty. Who writes alone never waits."""
IDLE_FLUSH_S = 0.02
"""Rows of applied entries wait this long for a log transaction to ride in."""
FULL_RETRY_S = 1.0
"""On a full disk they are tried again this often; a new commit tries at once."""
SLICE_S = 0.002
"""The applier lets others run after this long."""
PARTS_AT_ONCE = 16
"""Parts of one batch that wait at the same time."""
SPENT = "this commit id is too old: what came of its commit is no longer known"


class Pipeline:
    """The commits of one member on their way. `write` and `apply` are run as tasks."""

    def __init__(
        self, store: Opened, tell: Callable[[Sequence[Change]], None], wrote: Callable[[int], None]
    ) -> None:
        """tell: called with each commit's changes; wrote: with the bytes of each transaction."""
        self._store = store
        self._tell = tell
        self._wrote = wrote
        self.term = store.last.term + 1
        self._last = store.last
        self._queue = Queue()
        self._wake = asyncio.Event()  # set by submit, apply and refuse; `write` waits
        self._flush_s = IDLE_FLUSH_S
        self._gather_until = 0.0  # loop time
        self._durable: asyncio.Queue[tuple[Entry, list[Waiting]] | None] = asyncio.Queue(1)
        self._refusal: StoreError | None = None

    def add(self, command: Command, writes: int, size: int) -> Future[Result]:
        """Queue a command of so many writes and bytes. Raises StoreError: it did not happen."""
        if self._refusal:
            raise self._refusal
        waiting = Waiting(command, writes, size, asyncio.get_running_loop().create_future())
        self._queue.add(waiting)
        self._wake.set()
        return waiting.done

    async def add_all(self, parts: Iterable[tuple[Command, int, int]]) -> list[Result]:
        """Queue commands in order, PARTS_AT_ONCE at a time; their results when all are applied.

        Raises StoreError when none happened, UnknownOutcomeError when some may have.
        """
        results: list[Result] = []
        waiting: deque[Future[Result]] = deque()
        try:
            for part in parts:
                waiting.append(self.add(*part))
                if len(waiting) == PARTS_AT_ONCE:
                    results.append(await waiting.popleft())
            while waiting:
                results.append(await waiting.popleft())
        except StoreError as error:
            rest = await asyncio.gather(*waiting, return_exceptions=True)
            if results or any(isinstance(one, Result) for one in rest):
                raise UnknownOutcomeError(f"a part of the batch was done; then: {error}") from error
            raise
        finally:
            for one in waiting:
                one.cancel()  # the caller is gone; the commands are not taken back
        return results

    def refuse(self, why: StoreError) -> None:
        """Take nothing more: what waits and what comes is told why. What the writer has in hand
        is still made durable, applied and answered; then both tasks end."""
        self._refusal = why
        while self._queue:
            _lose(self._queue.take(), why)
        self._wake.set()

    def abandon(self, why: StoreError) -> None:
        """As `refuse`, and apply nothing more: for when both tasks are cancelled. What is
        durable and not applied would leave a gap, so nothing behind it may be applied either."""
        self.refuse(why)
        while not self._durable.empty():
            item = self._durable.get_nowait()
            _lose(item[1] if item else [], why)

    async def write(self) -> None:
        """Make groups durable until refused. Raises FatalStoreError."""
        while not self._refusal:
            group = await self._next_group()
            try:
                entry = await self._save(group)
                if entry:
                    await self._durable.put((entry, group))
            except DiskFullError as error:
                self._flush_s = FULL_RETRY_S
                for one in group:
                    _answer(one, error)
            except BaseException as error:
                _lose(group, error)
                raise
        await self._durable.put(None)

    async def _next_group(self) -> list[Waiting]:
        """All that waits. Empty: nothing came for a while and rows are behind, or refused."""
        while not self._queue and not self._refusal:
            self._wake.clear()
            if not self._store.behind.unsaved():
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(self._flush_s):
                    await self._wake.wait()
            except TimeoutError:
                return []
        now = asyncio.get_running_loop().time()
        if now < self._gather_until and not self._refusal:
            await asyncio.sleep(self._gather_until - now)
            now = self._gather_until
        group = self._queue.take()
        self._gather_until = now + GATHER_S if len(group) > 1 else 0.0
        return group

    async def _save(self, group: list[Waiting]) -> Entry | None:
        """One transaction: the group as a log entry, and the rows behind."""
        store, last = self._store, self._last
        behind = store.behind.unsaved()
        entry: Entry | None = None
        if group:
            data = records.encode([one.command for one in group])
            index = last.index + 1
            entry = Entry(index, self.term, records.chain(last.crc, index, self.term, data), data)
            self._last = entry
        elif behind is None:
            return None
        try:
            await store.writer.transact(image.save, entry, behind)
        except DiskFullError:
            self._last = last
            raise
        self._flush_s = IDLE_FLUSH_S
        if behind:
            store.behind.saved(behind)
        self._wrote(_bytes(entry, behind))
        return entry

    async def apply(self) -> None:
        """Apply durable groups in order until `write` ends."""
        while item := await self._durable.get():
            entry, group = item
            try:
                await self._apply_group(entry, group)
            except BaseException as error:
                _lose(group, error)
                raise
            self._store.behind.whole(entry)
            self._wake.set()

    async def _apply_group(self, entry: Entry, group: list[Waiting]) -> None:
        state, behind = self._store.state, self._store.behind
        now = asyncio.get_running_loop().time
        slice_end = now() + SLICE_S
        for one in group:
            command = one.command
            if isinstance(command, Compact):
                state.compact(command.floor)
                _answer(one, Result((), state.position.revision))
                continue
            result, changes, remembered = state.apply(entry.term, command)
            behind.note(changes, remembered)
            if changes:
                self._tell(changes)
            if result is None or len(result.outcomes) != len(command.writes):
                _answer(one, UnknownOutcomeError(SPENT))
            else:
                _answer(one, result)
            if now() > slice_end:
                await asyncio.sleep(0)
                slice_end = now() + SLICE_S


def _answer(one: Waiting, answer: Result | StoreError) -> None:
    if one.done.done():
        return  # who waited was cancelled
    if isinstance(answer, Result):
        one.done.set_result(answer)
    else:
        one.done.set_exception(answer)


def _lose(group: Iterable[Waiting], why: BaseException) -> None:
    for one in group:
        _answer(one, UnknownOutcomeError(f"the commit may or may not have happened: {why}"))


def _bytes(entry: Entry | None, behind: Behind | None) -> int:
    changes = behind.changes if behind else ()
    return sum(128 + len(one.value or b"") for one in changes) + len(entry.data if entry else b"")
