"""The engine on an existing etcd; the package says how it works.

It joins the parts: a connection, the replica that follows etcd, the writer and the leadership that
runs it, upkeep. What cannot be gone on with (somebody else wrote our keys, memory differs) ends
the engine: `until_failed` tells the owner, who must end the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from holdfast.control.store.commands import Change, Commit, Compact, Key, Refusal, Result, Row, flaw
from holdfast.control.store.engine import (
    EngineStatus,
    FatalStoreError,
    Listener,
    NotLeaderError,
    Reset,
    StoreError,
)
from holdfast.control.store.etcd import controls, founding, reading
from holdfast.control.store.etcd.connection import Connection
from holdfast.control.store.etcd.leadership import Leadership
from holdfast.control.store.etcd.past.histories import Histories
from holdfast.control.store.etcd.past.reads import Past
from holdfast.control.store.etcd.planning.batches import PART_WRITES_MAX, split
from holdfast.control.store.etcd.stored import values
from holdfast.control.store.etcd.stored.layout import Layout
from holdfast.control.store.etcd.stored.values import Control, Controls
from holdfast.control.store.etcd.target import Target
from holdfast.control.store.etcd.upkeep import Upkeep
from holdfast.control.store.etcd.writer import Writer
from holdfast.control.store.groups import add_all, join
from holdfast.control.store.state import refused

log = structlog.get_logger()

START_S = 30.0
"""A start waits so long for somebody to lead."""
STOP_S = 2.0
"""Commits under way may be answered for so long at a stop."""
BARRIER_S = 5.0


class Standing(NamedTuple):
    """How this control node stands. leads: it takes commits, in this term; term 0: nobody leads
    that it knows of."""

    term: int
    leads: bool


Watch = Callable[[Standing], None]
"""Called when this control node begins to lead and when it does not any more. Must not await or
raise."""


class EtcdEngine:
    """An Engine on an etcd. `start` before anything else, `stop` at the end."""

    def __init__(
        self, target: Target, *, new_cluster_id: str, cluster_id: str = "",
        name: str = "control-1", endpoints: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """new_cluster_id: what the cluster is called if etcd holds none yet, "" = it must.
        cluster_id: one that is there must have it, unless it is "". name, endpoints: who this
        control node is and where its clients reach it; the others tell them while it leads. One
        that others are to know of is introduced, too."""
        self._target = target
        self._ids = (new_cluster_id, cluster_id)
        self._me = values.Leader(name, tuple(endpoints))
        self._layout = Layout(target.prefix)
        self._listeners: list[Listener] = []
        self._resets: list[Reset] = []
        self._watches: list[Watch] = []
        self._turns: list[Callable[[], None]] = []
        self._mine: Control | None = None
        self._listed = 0  # etcd's revision from which on it is on the list
        self._authority = ""
        self._connection: Connection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._failure: FatalStoreError | None = None
        self._failed = asyncio.Event()  # set once, with _failure; until_failed waits

    def introduce(self, number: int, authority: str) -> None:
        """Before start: be on the list of control nodes. number: this one's id, which no other
        one ever had; authority: what tells the authority that all of them share from others."""
        self._mine = Control(number, self._me.name, self._me.endpoints)
        self._authority = authority

    async def start(self) -> None:
        """See Engine.start. When this returns, this control node leads or another one does.
        Raises StoreError when etcd does not answer, or holds something else."""
        connection = self._connection = Connection(self._target)
        try:
            self._replica = await founding.load(connection, self._target, self._layout, *self._ids)
            self._histories = Histories(connection, self._layout, self._replica)
            self._past = Past(
                connection, self._target, self._layout, self._replica, self._histories
            )
            self._writer = Writer(connection, self._layout, self._replica)
            self._leadership = Leadership(
                connection, self._layout, self._replica, self._writer, self._me
            )
            self._upkeep = Upkeep(
                connection, self._replica, self.compact, lambda: bool(self._writer.term)
            )
            await self._tell_loaded()
            if self._mine:
                self._listed = await self._list(self._mine)
            await self._begin()
        except BaseException:
            await self._close()
            raise
        log.info("store opened", target=str(self._target), revision=self.revision)

    async def _tell_loaded(self) -> None:
        """Tell the listeners every object as a change, oldest first."""
        loaded = sorted(self._replica.image.all_rows(), key=lambda row: row.revision)
        for start in range(0, len(loaded), PART_WRITES_MAX):
            rows = loaded[start : start + PART_WRITES_MAX]
            self._tell(
                [Change(r.revision, r.key, r.value, None, r.created, 0, r.revision) for r in rows]
            )
            await asyncio.sleep(0)

    async def _begin(self) -> None:
        """Follow, lead if nobody does, and wait until somebody leads."""
        self._replica.tell = self._made
        self._replica.turned = self._turned_there
        self._replica.resets = [*self._resets, self._histories.reset]
        jobs = (self._replica.follow, self._lead, self._upkeep.run)
        self._tasks = [asyncio.create_task(self._guard(job)) for job in jobs]
        try:
            async with asyncio.timeout(START_S):
                await self._replica.until(self._listed)
                while not (self._writer.term or self._other_leads()):
                    await self._turned()
        except TimeoutError:
            if self._replica.leader:  # of this name; its own lease of before would be over
                raise StoreError(
                    f'{self._target}: a control node "{self._me.name}" leads already: choose '
                    "another --name"
                ) from None
            raise StoreError(f"{self._target}: no control node comes to lead") from None

    def _other_leads(self) -> bool:
        leader = self._replica.leader
        return leader is not None and leader.name != self._me.name

    async def _turned(self) -> None:
        """Wait until who leads may have changed. Raises FatalStoreError."""
        if self._failure:
            raise self._failure
        turned = asyncio.get_running_loop().create_future()

        def turn(_: object) -> None:
            if not turned.done():
                turned.set_result(None)

        self._watches.append(turn)
        moved = asyncio.create_task(self._replica.leader_moved())
        moved.add_done_callback(turn)
        failed = asyncio.create_task(self._failed.wait())
        failed.add_done_callback(turn)
        try:
            await turned
        finally:
            self._watches.remove(turn)
            for task in (moved, failed):
                task.cancel()
            await asyncio.gather(moved, failed, return_exceptions=True)

    def _turned_there(self) -> None:
        """Who leads changed, or the list of control nodes."""
        for turned in self._turns:
            turned()
        mine = self._mine
        if mine is None or self._replica.applied < self._listed:
            return
        if any(one.name == mine.name and one != mine for one in self.controls.known):
            self._fail(
                FatalStoreError(
                    f'another control node called "{mine.name}" was started on {self._target}: '
                    "each needs a --name of its own"
                )
            )

    async def _lead(self) -> None:
        await self._leadership.run(self._moved)

    def _moved(self, term: int) -> None:
        standing = Standing(term or self._replica.term, bool(term))
        for watch in tuple(self._watches):
            watch(standing)

    def _made(self, changes: Sequence[Change]) -> None:
        """See Replica.tell."""
        self._histories.tail.add(changes)
        self._tell(changes)

    def _tell(self, changes: Sequence[Change]) -> None:
        for listener in self._listeners:
            listener(changes)

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
        self._writer.refuse(error)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def stop(self) -> None:
        """See Engine.stop. May be called twice, or without start."""
        if self._connection is None or self._stopping:
            return
        self._stopping = True
        if not self._failure:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._writer.finish()
            except TimeoutError:
                log.warning("the store stops with commits under way")
            self._writer.refuse(StoreError("the store is stopping"))
        await self._close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection:
            if self._tasks:
                await self._leadership.resign()
            await connection.close()

    async def until_failed(self) -> None:
        """Wait until the engine has failed for good, then raise that FatalStoreError. The owner
        must end the process and start anew."""
        await self._failed.wait()
        assert self._failure
        raise self._failure

    def listen(self, listener: Listener) -> None:
        """See Engine.listen."""
        self._listeners.append(listener)

    def on_reset(self, reset: Reset) -> None:
        """Have a callback told when all objects are read anew, because etcd compacted what this
        control node had not seen yet."""
        self._resets.append(reset)

    def watch(self, watch: Watch) -> None:
        """Have a callback told of every change of leadership."""
        self._watches.append(watch)

    def on_turn(self, turned: Callable[[], None]) -> None:
        """Have a callback told when `leader` or `controls` changed. Must not await or raise."""
        self._turns.append(turned)

    @property
    def leader(self) -> values.Leader | None:
        """Who leads, as this control node has heard; None = nobody."""
        return self._replica.leader

    @property
    def controls(self) -> Controls:
        """All control nodes, as this one has heard."""
        return self._replica.controls

    async def add_control(self, control: Control) -> None:
        """Put a control node on the list that will start. Raises StoreError: `controls.joined`."""
        await self._replica.until(await self._list(control))

    async def remove_control(self, number: int) -> None:
        """Take the control node of this id from the list. Raises StoreError."""
        main = await controls.change(
            self._open(), self._layout, lambda known: controls.left(known, number)
        )
        await self._replica.until(main)

    async def _list(self, control: Control) -> int:
        """Put a control node on the list; etcd's revision of that. Raises StoreError."""
        authority = self._authority
        return await controls.change(
            self._open(), self._layout, lambda known: controls.joined(known, control, authority)
        )

    async def commit(self, commit: Commit) -> Result:
        """See Engine.commit. Large batches are split (`batches.split`)."""
        writer = self._leading()
        if flaw(commit):
            return Result(tuple(refused(commit, Refusal.LIMIT)), self.revision)
        return join(await add_all(writer.add, split(commit)))

    async def compact(self, floor: int) -> None:
        """See Engine.compact."""
        await self._leading().add(Compact(floor), 0, 64)
        self._upkeep.due()

    def _leading(self) -> Writer:
        """The writer, while this control node leads. Raises StoreError."""
        if self._failure:
            raise self._failure
        if self._connection is None or self._stopping:
            raise StoreError("the store is not open")
        if not self._writer.term:
            leader = self._replica.leader
            if leader is None or leader == self._me:
                raise NotLeaderError(
                    f"no control node leads at this moment, or {self._target} does not answer: "
                    "try again"
                )
            raise NotLeaderError(f"control node {leader.name} leads", leader.endpoints)
        return self._writer

    async def barrier(self) -> int:
        """See Engine.barrier: etcd's newest transaction, read linearizably, and memory level with
        it. Raises StoreError when etcd does not answer."""
        connection = self._open()
        try:
            async with asyncio.timeout(BARRIER_S):
                newest = await reading.newest(connection, self._layout, BARRIER_S)
                await self._replica.until(newest)
        except TimeoutError:
            raise StoreError(
                f"{self._target} does not confirm the read: try again, or read stale"
            ) from None
        return self.revision

    def rows(self, resource: str) -> list[Row]:
        """See Engine.rows."""
        return self._replica.image.rows(resource)

    def row(self, key: Key) -> Row | None:
        """See Engine.row."""
        return self._replica.image.row(key)

    async def page(
        self, resource: str, namespace: str, revision: int, after: Key | None, limit: int
    ) -> list[Row]:
        """See Engine.page."""
        self._open()
        return await self._past.page((resource, namespace), revision, after, limit)

    async def history(self, after: int, limit: int) -> list[Change]:
        """See Engine.history."""
        self._open()
        return await self._past.history(after, limit)

    @property
    def revision(self) -> int:
        """See Engine.revision."""
        return self._replica.image.revision

    def status(self) -> EngineStatus:
        """See Engine.status. database_bytes: of all that etcd holds."""
        replica = self._replica
        return EngineStatus(
            replica.cluster.cluster_id,
            self.revision,
            replica.image.floor,
            self._writer.term or replica.term,
            bool(self._writer.term),
            len(replica.image),
            self._upkeep.database_bytes,
        )

    def _open(self) -> Connection:
        if self._connection is None:
            raise StoreError("the store is not open")
        return self._connection
