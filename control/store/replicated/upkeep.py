"""What keeps the files small: checkpoints, the history floor, compaction in slices.

One task beside the engine's writer. Each step is one short call in the writer's thread, between
two transactions, so a commit waits for at most one of them (~5 ms). The floor itself moves only
by a command in the log (`compact`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

import structlog

from holdfast.control.store import image
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.history import SAMPLE_S, Samples
from holdfast.control.store.replicated import incoming
from holdfast.control.store.replicated.opening import Opened

log = structlog.get_logger()

CHECKPOINT_BYTES = 16 << 20
TRANSACTION_BYTES = 32 << 10
"""What a transaction adds to the write-ahead log besides its rows: about eight pages, those of each
table and index that it touches, however little of them it changes."""
SWEEP_REVISIONS = 256


class Upkeep:
    """The task `run`; the engine calls `wrote` after each transaction."""

    def __init__(
        self, store: Opened, compact: Callable[[int], Awaitable[None]],
        leads: Callable[[], bool], verify: Callable[[], None],
    ) -> None:  # fmt: skip
        """compact: proposes a new floor and returns when it is applied; verify: has the others
        compare their state with this one's. Only who leads does either."""
        self._store = store
        self._compact = compact
        self._leads = leads
        self._verify = verify
        self._samples = Samples()
        self._written_bytes = 0  # into the write-ahead log, since the last checkpoint
        self._discarding = True  # rows that a snapshot replaced may be left, from before too
        self._due = asyncio.Event()  # set by `wrote`; `run` waits

    def wrote(self, total: int) -> None:
        """A transaction with rows of so many bytes is durable."""
        self._written_bytes += total + TRANSACTION_BYTES
        if self._written_bytes >= CHECKPOINT_BYTES or self._lags or self._discarding:
            self._due.set()

    def switched(self) -> None:
        """A snapshot took the image's place."""
        self._discarding = True
        self._due.set()

    @property
    def _lags(self) -> bool:
        return self._store.swept < self._store.behind.image.floor

    async def run(self) -> None:
        """Work until cancelled. Raises FatalStoreError."""
        sampled = float("-inf")
        now = asyncio.get_running_loop().time
        while True:
            try:
                if now() >= sampled + SAMPLE_S:
                    sampled = now()
                    await self._sample(sampled)
                if self._written_bytes >= CHECKPOINT_BYTES:
                    await self._checkpoint()
                await self._sweep()
                if self._discarding:
                    await self._discard()
            except FatalStoreError:
                raise
            except StoreError as error:  # a full disk or queue: the next round tries again
                log.warning("store upkeep put off", error=str(error))
            self._due.clear()
            try:
                async with asyncio.timeout(max(0.0, sampled + SAMPLE_S - now())):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _sample(self, now: float) -> None:
        position = self._store.state.position
        self._samples.add(now, position.revision)
        wanted = self._samples.floor_wanted(now, position.revision, position.floor)
        if not self._leads():
            return
        if wanted > position.floor:
            await self._compact(wanted)
        self._verify()

    async def _checkpoint(self) -> None:
        """The bulk on the reader's connection, beside the writer; the small rest in the
        writer's thread, so that the write-ahead log can start over."""
        self._written_bytes = 0
        await self._store.reader.run(image.checkpoint)
        await self._store.writer.run(image.checkpoint)

    async def _sweep(self) -> None:
        """Compact up to the floor that is durable in the image."""
        store = self._store
        while self._lags:
            upto = min(store.swept + SWEEP_REVISIONS, store.behind.image.floor)
            await store.writer.transact(_sweep_slice, store, upto)
            await store.writer.run(image.shrink)

    async def _discard(self) -> None:
        """Drop what a snapshot replaced."""
        self._discarding = False
        store = self._store
        while await store.writer.run(incoming.discard):
            await store.writer.run(image.shrink)


def _sweep_slice(connection: sqlite3.Connection, store: Opened, upto: int) -> None:
    """In the writer's thread, so that no snapshot is switched in between look and sweep."""
    after = store.swept
    if after < upto <= store.behind.image.floor:
        image.sweep(connection, after, upto)
        store.swept = upto
