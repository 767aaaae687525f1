"""Memory that follows etcd: loaded once, then level with one watch on all keys.

It is the only one that changes the image and tells the listeners, for the leader's own commits
too. `until` waits for one of etcd's revisions. Every PULSE_S it asks for the newest head: when
etcd has it and the watch does not bring it, the watch's connection is dead and is opened again,
elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import structlog

from holdfast.api.etcd.v1 import etcd_pb2 as etcd
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.engine import FatalStoreError, Reset, StoreError
from holdfast.control.store.etcd import folding, reading
from holdfast.control.store.etcd.connection import (
    PAUSE_MAX_S,
    PAUSE_S,
    CompactedError,
    Connection,
    UnreachableError,
)
from holdfast.control.store.etcd.folding import ForeignError, Seen
from holdfast.control.store.etcd.image import Image
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.revisions import Revisions
from holdfast.control.store.etcd.stored.values import Cluster, Controls, Head, Leader, Results
from holdfast.control.store.etcd.watching import FloorError, Revision, events

log = structlog.get_logger()

PULSE_S = 1.0
SLICE_S = 0.004
"""Folding lets others run after this long, between two of etcd's revisions."""
LOADS_MAX = 3


class Replica:
    """The image, and where in etcd's revisions it stands.

    applied: etcd's newest revision that wrote one of our keys and is in the image. head: the newest
    transaction, head_main its revision. leader: who leads, in which term (0: nobody). controls: all
    control nodes. turned: told when who leads or the control nodes changed.
    """

    def __init__(self, connection: Connection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout
        self.image = Image()
        self.revisions = Revisions()
        self.cluster = Cluster("")
        self.created = 0
        self.applied = 0
        self.head = Head(0, 0, 0, 0, ())
        self.head_main = 0
        self.leader: Leader | None = None
        self.term = 0
        self.controls = Controls()
        self.turned: Callable[[], None] = lambda: None
        self.tell: Callable[[Sequence[Change]], None] = lambda _: None
        self.resets: list[Reset] = []
        self._follow_from = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._moved = asyncio.Event()  # set when the leader's key changed; `leader_moved` waits
        self._stream: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read everything. Raises StoreError, FatalStoreError; `cluster` is "" if there is no
        store."""
        for left in reversed(range(LOADS_MAX)):
            try:
                await self._load()
            except CompactedError:
                if not left:
                    raise
                self.image = Image()
            except ForeignError as error:
                raise FatalStoreError(f"{self._connection.target}: {error}") from error
            else:
                return

    async def _try_load_again(self) -> None:
        try:
            await self._load_again()
        except FatalStoreError:
            raise
        except StoreError as error:  # the watch will end in the same way, and it is tried again
            log.warning("memory is not replaced yet", error=str(error))

    async def _load_again(self) -> None:
        """Etcd compacted what this memory had not seen: another one takes its place."""
        fresh = Replica(self._connection, self._layout)
        await fresh.load()
        if fresh.cluster != self.cluster:
            raise FatalStoreError(f"{self._connection.target} holds another cluster now")
        rows = sorted(fresh.image.all_rows(), key=lambda row: row.revision)
        ready = [await reset(rows) for reset in self.resets]
        self.image, self.applied = fresh.image, fresh.applied
        self.head, self.head_main = fresh.head, fresh.head_main
        self.leader, self.term = fresh.leader, fresh.term
        self.controls = fresh.controls
        self._follow_from = fresh._follow_from
        for switch in ready:
            switch()
        self._announce_leader()
        self._wake()
        log.warning("memory was replaced", revision=self.image.revision)

    async def _load(self) -> None:
        layout = self._layout
        results: list[tuple[int, int, Results]] = []
        async with aclosing(reading.everything(self._connection, layout)) as slices:
            async for revision, kvs in slices:
                self._follow_from = revision + 1
                objects = []
                for kv in kvs:
                    self.applied = max(self.applied, kv.mod_revision)
                    if kv.key.startswith(layout.objects):
                        objects.append(folding.row(layout, self.revisions, kv))
                    elif kv.key.startswith(layout.results):
                        number, found = folding.decoded(values.decode_results, kv)
                        results.append((number, kv.mod_revision, found))
                    else:
                        self._load_own(kv)
                self.image.load(objects)
        for _, main, found in sorted(results, key=lambda one: one[:2]):
            self._remember(main, found)
        changes = sum(self.head.counts)
        last = self.revisions.of(self.head_main, changes - 1) if changes else self.head.before
        self.image.revision = last

    def _load_own(self, kv: etcd.KeyValue) -> None:
        """One key that is neither object nor result: they come before those, in order of keys."""
        layout = self._layout
        if kv.key == layout.cluster:
            self.cluster = folding.decoded(values.decode_cluster, kv)
            self.revisions = Revisions(self.cluster.offset)
            self.created = kv.create_revision
        elif kv.key == layout.controls:
            self.controls = folding.decoded(values.decode_controls, kv)
        elif kv.key == layout.floor:
            self.image.floor = folding.decoded(values.decode_floor, kv)
        elif kv.key == layout.head:
            self.head = folding.decoded(values.decode_head, kv)
            self.head_main = kv.mod_revision
        elif kv.key == layout.leader:
            self.leader = folding.decoded(values.decode_leader, kv)
            self.term = kv.create_revision
        else:
            shown = kv.key.decode(errors="replace")
            raise ForeignError(f"{shown} is no key of a Holdfast store")

    async def follow(self) -> None:
        """Follow the watch until cancelled. Raises FatalStoreError."""
        pulse = asyncio.create_task(self._pulse())
        pause = PAUSE_S
        try:
            while True:
                start = self._follow_from
                self._stream = asyncio.create_task(self._follow_once())
                (ended,) = await asyncio.gather(self._stream, return_exceptions=True)
                if isinstance(ended, FloorError):
                    await self._try_load_again()
                else:
                    self._check_end(ended)
                pause = PAUSE_S if self._follow_from > start else min(2 * pause, PAUSE_MAX_S)
                await asyncio.sleep(pause)
        finally:
            tasks = [task for task in (pulse, self._stream) if task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _check_end(self, ended: object) -> None:
        """Raise what ends the engine; the rest is tried again."""
        if isinstance(ended, ForeignError):
            raise FatalStoreError(f"{self._connection.target}: {ended}") from ended
        if isinstance(ended, FatalStoreError):
            raise ended
        if isinstance(ended, Exception) and not isinstance(ended, StoreError):
            raise ended
        log.info("etcd watch is opened again", reason=str(ended or "it brought nothing"))

    async def _follow_once(self) -> None:
        now = asyncio.get_running_loop().time
        stream = events(self._connection, self._layout, self._follow_from)
        async with aclosing(stream) as slices:
            async for revisions in slices:
                slice_end = now() + SLICE_S
                for one in revisions:
                    self._fold(one)
                    if now() > slice_end:
                        await asyncio.sleep(0)
                        slice_end = now() + SLICE_S

    async def _pulse(self) -> None:
        """Ask for the newest head, and drop a watch that does not bring it."""
        while True:
            await asyncio.sleep(PULSE_S)
            try:
                newest = await reading.newest(self._connection, self._layout, PULSE_S)
                async with asyncio.timeout(PULSE_S):
                    await self.until(newest)
            except UnreachableError:
                continue  # the connection is at the next member already
            except TimeoutError:
                if self._stream:
                    self._stream.cancel()

    def _fold(self, revision: Revision) -> None:
        """Take one of etcd's revisions whole. Raises ForeignError, FatalStoreError."""
        main, found = revision
        seen = folding.parse(self._layout, main, found)
        if seen.head:
            self._fold_transaction(seen, seen.head)
        if seen.floor is not None:
            self.image.floor = seen.floor
        if seen.leader:
            self._fold_leader(seen.leader)
        if seen.controls is not None:
            self.controls = seen.controls
        self.applied = main
        self._follow_from = main + 1
        self._wake()
        if seen.controls is not None:
            self.turned()

    def _fold_transaction(self, seen: Seen, head: Head) -> None:
        image = self.image
        if (head.before, head.checksum) != (image.revision, image.checksum):
            raise FatalStoreError(
                f"{self._connection.target}: the memory of this control node differs from that of "
                f"the leader before revision {self.revisions.of(seen.main)}: start it again"
            )
        self.head, self.head_main = head, seen.main

        def previous(key: Key, _: etcd.Event) -> Row | None:
            return image.row(key)

        for commit in folding.commits(self._layout, self.revisions, seen, previous):
            for change in commit:
                image.fold(change)
            self.tell(commit)
        self._remember(seen.main, seen.results)

    def _remember(self, main: int, results: Results) -> None:
        for commit_id, result in results:
            settled = values.settled(result, lambda sub: self.revisions.of(main, sub))
            self.image.retries.remember(commit_id, settled)

    def _fold_leader(self, event: etcd.Event) -> None:
        if event.type == etcd.Event.DELETE:
            self.leader, self.term = None, 0
        else:
            self.leader = folding.decoded(values.decode_leader, event.kv)
            self.term = event.kv.create_revision
        self._announce_leader()

    def _announce_leader(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
        self.turned()

    def _wake(self) -> None:
        left = []
        for main, future in self._waiting:
            if main > self.applied:
                left.append((main, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = left

    async def until(self, main: int) -> None:
        """Wait until etcd's revision, which wrote one of our keys, is in the image."""
        if main <= self.applied:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((main, future))
        await future

    async def leader_moved(self) -> None:
        """Wait until the leader's key changes."""
        await self._moved.wait()
