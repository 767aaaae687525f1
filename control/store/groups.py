"""Group commit, the plain part: what waits, how it is cut into parts and gathered into groups.

The engine's `commit` adds, its writer takes. A batch is cut into parts so that applying one never
holds the loop; a group is everything that waits, up to GROUP_*_MAX, in one log entry.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from holdfast.control.store.batches import columns
from holdfast.control.store.commands import WRITE_BYTES, Commit, Compact, Outcome, Result, size
from holdfast.control.store.engine import (
    PART_BYTES_MAX,
    PART_WRITES_MAX,
    StoreError,
    UnknownOutcomeError,
)

GROUP_WRITES_MAX = 1_024
GROUP_BYTES_MAX = 2 << 20
WAITING_WRITES_MAX = 200_000
WAITING_BYTES_MAX = 256 << 20

PARTS_AT_ONCE = 16
"""Parts of one batch that wait at the same time."""

Waited = Commit | Compact
"""What somebody waits for the result of."""
Add = Callable[[Waited, int, int], Future[Result]]
"""Queues a command of so many writes and bytes. Raises StoreError: it did not happen."""


@dataclass(slots=True)
class Waiting:
    """One command and who waits for it."""

    command: Waited
    writes: int
    bytes: int
    done: Future[Result]

    def answer(self, answer: Result | StoreError) -> None:
        """Tell who waits, unless it was cancelled."""
        if self.done.done():
            return
        if isinstance(answer, Result):
            self.done.set_result(answer)
        else:
            self.done.set_exception(answer)


class Queue:
    """Commands that wait for the writer, first in first out, bounded in writes and bytes."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._writes = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting) -> None:
        """Raises StoreError when too much waits already (a lone commit may be any size)."""
        writes, total = self._writes + waiting.writes, self._bytes + waiting.bytes
        if self._waiting and (writes > WAITING_WRITES_MAX or total > WAITING_BYTES_MAX):
            raise StoreError(f"{self._writes} writes wait for the disk already: try again later")
        self._waiting.append(waiting)
        self._writes, self._bytes = writes, total

    def take(self) -> list[Waiting]:
        """The next group: at least one command, at most GROUP_WRITES_MAX and GROUP_BYTES_MAX."""
        group: list[Waiting] = []
        writes = total = 0
        while self._waiting:
            one = self._waiting[0]
            over = writes + one.writes > GROUP_WRITES_MAX or total + one.bytes > GROUP_BYTES_MAX
            if group and over:
                break
            group.append(self._waiting.popleft())
            writes, total = writes + one.writes, total + one.bytes
        self._writes -= writes
        self._bytes -= total
        return group


def split(commit: Commit) -> Iterator[tuple[Commit, int, int]]:
    """A batch as parts within PART_WRITES_MAX and PART_BYTES_MAX, each with its number of writes
    and bytes; any other commit as it is.

    A part's id is the commit's with the part's number behind it: a repeated batch is cut at the
    same places, so each part is answered or tried for itself.
    """
    count = len(commit.writes)
    if commit.atomic or count <= PART_WRITES_MAX:
        total = columns.size(commit.writes)
        if commit.atomic or total <= PART_BYTES_MAX:
            yield commit, count, total + WRITE_BYTES
            return
    start = total = number = 0
    for at, write in enumerate(commit.writes):
        one = size(write)
        if at > start and (at - start == PART_WRITES_MAX or total + one > PART_BYTES_MAX):
            yield _part(commit, number, start, at), at - start, total
            start, total, number = at, 0, number + 1
        total += one
    yield _part(commit, number, start, count), count - start, total


def _part(commit: Commit, number: int, start: int, end: int) -> Commit:
    own_id = part_id(commit.id, number) if commit.id else b""
    return replace(commit, id=own_id, writes=commit.writes[start:end])


def part_id(commit_id: bytes, number: int) -> bytes:
    """The id of a part, counted from 0."""
    return commit_id + number.to_bytes(4, "big")


def join(results: list[Result]) -> Result:
    """The result of a batch from those of its parts."""
    if len(results) == 1:
        return results[0]
    outcomes: list[Outcome] = []
    for result in results:
        outcomes += result.outcomes
    return Result(tuple(outcomes), results[-1].revision)


async def add_all(add: Add, parts: Iterable[tuple[Waited, int, int]]) -> list[Result]:
    """Queue the parts of a batch in order, PARTS_AT_ONCE at a time; their results.

    Raises StoreError when none happened, UnknownOutcomeError when some may have.
    """
    results: list[Result] = []
    waiting: deque[Future[Result]] = deque()
    try:
        for part in parts:
            waiting.append(add(*part))
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
