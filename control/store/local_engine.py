"""The engine of one member: a log and an image in one SQLite file.

It joins the parts: `opening` loads, `pipeline` takes commits, `upkeep` keeps the files small,
`history` answers for old revisions. A failure that leaves the disk unknown ends the engine:
`until_failed` tells the owner, who must end the process; nothing is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import structlog

from holdfast.control.store import directory, image
from holdfast.control.store.commands import (
    Change,
    Commit,
    Compact,
    Key,
    Refusal,
    Result,
    Row,
    flaw,
)
from holdfast.control.store.engine import (
    PART_WRITES_MAX,
    DiskFullError,
    EngineStatus,
    ExpiredError,
    FatalStoreError,
    Listener,
    StoreError,
    UnknownOutcomeError,
)
from holdfast.control.store.groups import join, part_id, split
from holdfast.control.store.history import overlay
from holdfast.control.store.opening import Opened, open_store
from holdfast.control.store.pipeline import SPENT, Pipeline
from holdfast.control.store.state import refused
from holdfast.control.store.upkeep import Upkeep

log = structlog.get_logger()


class LocalEngine:
    """An Engine on a data directory. `start` before anything else, `stop` at the end."""

    def __init__(self, path: Path, *, cluster_id: str = "") -> None:
        """path: the data directory. cluster_id: a new store gets it; an existing one must have
        it, unless it is ""."""
        self._path = path
        self._cluster_id = cluster_id
        self._listeners: list[Listener] = []
        self._lock = -1
        self._opened: Opened | None = None
        self._pipeline: Pipeline | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: FatalStoreError | None = None
        self._failed = asyncio.Event()  # set once, with _failure; until_failed waits

    async def start(self) -> None:
        """See Engine.start. Raises StoreError when another process uses the directory."""
        self._lock = await asyncio.to_thread(directory.claim, self._path)
        try:
            self._opened = store = await open_store(self._path, self._cluster_id)
        except BaseException:
            directory.release(self._lock)
            raise
        upkeep = Upkeep(store, self.compact)
        self._pipeline = Pipeline(store, self._tell, upkeep.wrote)
        try:
            await self._tell_loaded(store)
        except BaseException:
            await self._close(store)
            raise
        jobs = (self._pipeline.write, self._pipeline.apply, upkeep.run)
        self._tasks = [asyncio.create_task(self._guard(job)) for job in jobs]
        log.info("store opened", path=str(self._path), revision=self.revision)

    async def _tell_loaded(self, store: Opened) -> None:
        """Tell the listeners every object as a change, oldest first."""
        loaded = sorted(store.state.all_rows(), key=lambda row: row.revision)
        for start in range(0, len(loaded), PART_WRITES_MAX):
            rows = loaded[start : start + PART_WRITES_MAX]
            self._tell(
                [Change(r.revision, r.key, r.value, None, r.created, 0, r.revision) for r in rows]
            )
            await asyncio.sleep(0)

    def _tell(self, changes: Sequence[Change]) -> None:
        for listener in self._listeners:
            listener(changes)

    async def stop(self) -> None:
        """See Engine.stop. May be called twice, or without start."""
        store = self._opened
        if store is None or not self._pipeline:
            return
        if not self._failure:
            self._pipeline.refuse(StoreError("the store is stopping"))
        *commits, upkeep = self._tasks
        upkeep.cancel()
        await asyncio.gather(*commits, upkeep, return_exceptions=True)
        try:
            if not self._failure:
                await _flush(store)
        finally:
            await self._close(store)

    async def _close(self, store: Opened) -> None:
        self._opened = None
        await store.reader.close()
        await store.writer.close()
        directory.release(self._lock)

    async def _guard(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run one task of the engine; an error in it ends the engine."""
        try:
            await job()
        except FatalStoreError as error:
            self._fail(error)
        except Exception as error:
            log.exception("store task failed")
            self._fail(FatalStoreError(f"the store failed ({error!r}): start it again"))

    def _fail(self, error: FatalStoreError) -> None:
        if self._failure:
            return
        log.error("store failed", error=str(error))
        self._failure = error
        self._failed.set()
        assert self._pipeline
        self._pipeline.abandon(error)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def until_failed(self) -> None:
        """Wait until the engine has failed for good, then raise that FatalStoreError. The owner
        must end the process: what is on disk is no longer known."""
        await self._failed.wait()
        assert self._failure
        raise self._failure

    def listen(self, listener: Listener) -> None:
        """See Engine.listen."""
        self._listeners.append(listener)

    async def commit(self, commit: Commit) -> Result:
        """See Engine.commit. Large batches are split (`groups.split`)."""
        if flaw(commit):
            return Result(tuple(refused(commit, Refusal.LIMIT)), self.revision)
        return join(await self._running().add_all(split(commit)))

    async def compact(self, floor: int) -> None:
        """See Engine.compact."""
        await self._running().add(Compact(floor), 0, 64)

    def recall(self, commit_id: bytes, writes: int) -> Result | None:
        """The first result of a commit id, None when it is new: for a caller that judges a
        commit of so many writes before it gets here. Raises UnknownOutcomeError when the result
        is no longer kept, or only a part of the batch was done."""
        retries = self._store.state.retries
        found: list[Result] = []
        for one in chain((commit_id,), (part_id(commit_id, n) for n in count())):
            if retries.spent(one):
                raise UnknownOutcomeError(SPENT)
            result = retries.find(one)
            if result is not None:
                found.append(result)
            elif one != commit_id:
                break
        done = sum(len(result.outcomes) for result in found)
        if done not in (0, writes):
            raise UnknownOutcomeError("only a part of this batch was done, or it was another one")
        return join(found) if found else None

    async def barrier(self) -> int:
        """See Engine.barrier. One member acknowledges only what it has applied."""
        return self.revision

    def rows(self, resource: str) -> list[Row]:
        """See Engine.rows."""
        return self._store.state.rows(resource)

    def row(self, key: Key) -> Row | None:
        """See Engine.row."""
        return self._store.state.row(key)

    async def page(
        self, resource: str, namespace: str, revision: int, after: Key | None, limit: int
    ) -> list[Row]:
        """See Engine.page."""
        store = self._store
        self._check_floor(revision)
        if revision > self.revision:
            raise StoreError(f"revision {revision} is not reached yet")
        newer = store.behind.tail.matching(resource, namespace, revision, after)
        rows = await store.reader.run(
            image.page, (resource, namespace), revision, after, limit + len(newer)
        )
        self._check_floor(revision)  # it may have been swept meanwhile
        return overlay(rows, newer, limit)

    async def history(self, after: int, limit: int) -> list[Change]:
        """See Engine.history."""
        store = self._store
        self._check_floor(after)
        tail = store.behind.tail
        newer = tail.after(max(after, tail.base), limit)
        if after >= tail.base:
            return newer
        changes = await store.reader.run(image.history, after, limit)
        self._check_floor(after)  # it may have been swept meanwhile
        last = changes[-1].revision if changes else after
        changes += [change for change in newer if change.revision > last]
        return changes[:limit]

    def _check_floor(self, revision: int) -> None:
        floor = self._store.state.position.floor
        if revision < floor:
            raise ExpiredError(f"revision {revision} is too old: history is kept from {floor}")

    @property
    def revision(self) -> int:
        """See Engine.revision."""
        return self._store.state.position.revision

    def status(self) -> EngineStatus:
        """See Engine.status."""
        store = self._store
        position = store.state.position
        return EngineStatus(
            store.behind.image.cluster_id,
            position.revision,
            position.floor,
            self._running().term,
            True,
            len(store.state),
            directory.file_bytes(self._path),
        )

    @property
    def _store(self) -> Opened:
        if self._opened is None:
            raise StoreError("the store is not open")
        return self._opened

    def _running(self) -> Pipeline:
        if self._pipeline is None:
            raise StoreError("the store is not open")
        return self._pipeline


async def _flush(store: Opened) -> None:
    """The last rows. On a full disk they stay in the log, and are replayed from there."""
    behind = store.behind.unsaved()
    if behind:
        with suppress(DiskFullError):
            await store.writer.transact(image.save, None, behind)
