"""The engine on a replicated log: one member of a group, which may be the only one.

It joins the parts: `opening` loads, `proposals` takes commits, the driver replicates them,
`machine` applies them, `upkeep` keeps the files small. A failure that leaves the disk or the
group's agreement unknown ends the engine: `until_failed` tells the owner, who must end the
process; nothing is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import HardState, Snapshot
from holdfast.control.raft.shell.seams import LogFullError, Pace, Randomness, Setup, Transport, View
from holdfast.control.raft.shell.solitude import Solitude
from holdfast.control.store.commands import (
    ANY,
    Change,
    Commit,
    Compact,
    Key,
    Refusal,
    Result,
    Row,
    Write,
    flaw,
)
from holdfast.control.store.disk import Disk, FileDisk
from holdfast.control.store.engine import (
    PART_WRITES_MAX,
    DiskFullError,
    EngineStatus,
    FatalStoreError,
    Listener,
    NotLeaderError,
    Reset,
    StoreError,
)
from holdfast.control.store.groups import add_all, join, split
from holdfast.control.store.replicated import incoming, readings
from holdfast.control.store.replicated.members import Member, Standing
from holdfast.control.store.replicated.opening import Founding, Opened, open_store
from holdfast.control.store.replicated.running import Running
from holdfast.control.store.replicated.writer import Keep
from holdfast.control.store.state import refused

MEMBER_BITS = 62
BARRIER_S = 5.0
"""A read waits so long for a leader to confirm that it leads."""
STOP_S = 2.0
"""Proposals under way may be answered for so long at a stop."""

log = structlog.get_logger()

Watch = Callable[[View], None]
"""Called when leader, role or term changed, and when this member may act as leader (view.leads:
it has applied an entry of its own term), and when it is out. Must not await or raise."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a member runs, and how a new store begins. member: its id, 0 = drawn. voters: who
    founds the group, None = this member alone, () = it joins a group that is there."""

    member: int = 0
    voters: tuple[int, ...] | None = None
    pace: Pace = field(default_factory=Pace)
    keep: Keep = field(default_factory=Keep)


class RaftEngine:
    """An Engine on a data directory. `start` before anything else, `stop` at the end."""

    def __init__(
        self, place: Path | Disk, randomness: Randomness, *, cluster_id: str = "",
        options: Options | None = None, transport: Transport | None = None,
    ) -> None:  # fmt: skip
        """place: the data directory. cluster_id: a new store gets it; an existing one must have
        it, unless it is "". transport: None = this member has no peers."""
        self.disk = FileDisk(place) if isinstance(place, Path) else place
        self.transport: Transport = transport or Solitude()
        self._randomness = randomness
        self._cluster_id = cluster_id
        self._options = options or Options()
        self._listeners: list[Listener] = []
        self._watches: list[Watch] = []
        self._resets: list[Reset] = []
        self._running: Running | None = None
        self._led = False
        self._failure: FatalStoreError | None = None
        self._failed = asyncio.Event()  # set once, with _failure; until_failed waits
        self._ready: asyncio.Future[None] | None = None  # set when a lone member leads

    async def start(self) -> None:
        """See Engine.start. A member that is alone leads when this returns. Raises StoreError
        when another process uses the directory, DiskFullError when it cannot vote for itself."""
        await self.disk.claim()
        try:
            founding = self._founding() if self._cluster_id else None
            store = await open_store(self.disk, founding, self._cluster_id)
        except BaseException:
            self.disk.release()
            raise
        try:
            await self._tell_loaded(store)
            await self._begin(store)
        except BaseException:
            await self._close(store)
            raise
        log.info("store opened", path=self.disk.name, revision=self.revision)

    def _founding(self) -> Founding:
        options = self._options
        member = options.member or self._randomness((1 << MEMBER_BITS) - 1) + 1
        voters = (member,) if options.voters is None else options.voters
        return Founding(self._cluster_id, member, voters)

    async def _tell_loaded(self, store: Opened) -> None:
        """Tell the listeners every object as a change, oldest first."""
        loaded = sorted(store.state.all_rows(), key=lambda row: row.revision)
        for start in range(0, len(loaded), PART_WRITES_MAX):
            rows = loaded[start : start + PART_WRITES_MAX]
            self.tell(
                [Change(r.revision, r.key, r.value, None, r.created, 0, r.revision) for r in rows]
            )
            await asyncio.sleep(0)

    async def _begin(self, store: Opened) -> None:
        setup = Setup(store.member, self._randomness, self._options.pace)
        await store.writer.run(incoming.abandon)
        self._led = False
        self._running = running = Running(self, store, setup, self._options.keep)
        self._ready = asyncio.get_running_loop().create_future() if running.alone else None
        await running.start()
        if self._ready:
            await self._ready

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell every listener. For the parts of the engine only."""
        for listener in self._listeners:
            listener(changes)

    async def stop(self) -> None:
        """See Engine.stop. May be called twice, or without start."""
        running = self._running
        if running is None:
            return
        if not self._failure:
            running.proposals.refuse(StoreError("the store is stopping"))
            await self._finish(running)
            await running.halt()
        await self._close(running.store)

    async def _finish(self, running: Running) -> None:
        """Let what is proposed be applied and answered."""
        try:
            async with asyncio.timeout(STOP_S):
                await running.proposals.finish()
        except TimeoutError:
            log.warning("the store stops with commits under way")
        running.proposals.close(StoreError("the store is stopping"), undone=False)
        await running.membership.hand_over()

    async def _close(self, store: Opened) -> None:
        running, self._running = self._running, None
        if running:
            await running.end()
        await store.reader.close()
        await store.writer.close()
        self.disk.release()

    async def guard(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run one task of the engine; an error in it ends the engine."""
        try:
            await job()
        except Exception as error:
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        """See Observer. What is on disk, or what the group agreed on, is no longer known."""
        if self._failure or isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, FatalStoreError):
            self._failure = error
        elif isinstance(error, RaftPanic):
            self._failure = FatalStoreError(f"{self.disk.name}: {error}: restore the member")
        else:
            log.error("store task failed", exc_info=error)
            self._failure = FatalStoreError(f"the store failed ({error!r}): start it again")
        log.error("store failed", error=str(self._failure))
        self._failed.set()
        self._settle_start(self._failure)
        if self._running:
            self._running.proposals.refuse(self._failure)
            self._running.proposals.close(self._failure, undone=False)
            self._running.cancel()

    def turned(self, view: View) -> None:
        """See Observer."""
        running = self._running
        assert running
        if view.leads and not self._led:
            running.proposals.open()
            self._settle_start(None)
        elif self._led and not view.leads:
            running.proposals.close(self._not_leader(running), undone=False)
        self._led = view.leads
        for watch in self._watches:
            watch(view)

    def expelled(self) -> None:
        """This member was removed, and hears it from the others. For the parts of the engine
        only."""
        log.warning("removed from the group")
        for watch in self._watches:
            watch(self.view)

    def full(self, error: LogFullError) -> None:
        """See Observer. Alone, nothing that was not durable can ever happen."""
        log.error("disk full", error=str(error))
        assert self._running
        full = DiskFullError(str(error))
        if self._running.alone:
            self._running.proposals.close(full, undone=True)
        self._settle_start(full)

    def _settle_start(self, error: StoreError | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error:
            self._ready.set_exception(error)
        else:
            self._ready.set_result(None)

    async def until_failed(self) -> None:
        """Wait until the engine has failed for good, then raise that FatalStoreError. The owner
        must end the process: what is on disk is no longer known."""
        await self._failed.wait()
        assert self._failure
        raise self._failure

    def listen(self, listener: Listener) -> None:
        """See Engine.listen."""
        self._listeners.append(listener)

    def on_reset(self, reset: Reset) -> None:
        """Have the objects of a received snapshot told, which takes the place of everything."""
        self._resets.append(reset)

    async def install(self, snapshot: Snapshot, state: HardState) -> None:
        """Put a received snapshot in the place of everything. For the parts of the engine only."""
        running = self._open()
        await running.port.receiving.install(snapshot, state, self._prepare_reset)
        running.configured()

    async def _prepare_reset(self, rows: Iterable[Row]) -> Callable[[], None]:
        every = list(rows)
        switches = [await reset(every) for reset in self._resets]

        def switch() -> None:
            for one in switches:
                one()

        return switch

    def watch(self, watch: Watch) -> None:
        """Have a callback told of every change of leadership."""
        self._watches.append(watch)

    async def commit(self, commit: Commit) -> Result:
        """See Engine.commit. Large batches are split (`groups.split`)."""
        if flaw(commit):
            return Result(tuple(refused(commit, Refusal.LIMIT)), self.revision)
        running = self._leading()
        return join(await add_all(running.proposals.add, split(commit)))

    async def compact(self, floor: int) -> None:
        """See Engine.compact."""
        await self._leading().proposals.add(Compact(floor), 0, 64)

    def recall(self, commit_id: bytes, writes: int) -> Result | None:
        """See `readings.recall`."""
        return readings.recall(self._store, commit_id, writes)

    async def barrier(self) -> int:
        """See Engine.barrier: by read index. Raises StoreError when no leader confirms it."""
        driver = self._open().driver
        try:
            async with asyncio.timeout(BARRIER_S):
                await driver.reach(await driver.read_index())
        except TimeoutError:
            raise StoreError(
                "no leader of the control nodes confirms the read: try again, or read stale"
            ) from None
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
        return await readings.page(self._store, (resource, namespace), revision, after, limit)

    async def history(self, after: int, limit: int) -> list[Change]:
        """See Engine.history."""
        return await readings.history(self._store, after, limit)

    @property
    def revision(self) -> int:
        """See Engine.revision."""
        return self._store.state.position.revision

    @property
    def view(self) -> View:
        """How this member stands in its group."""
        return self._open().driver.view

    def status(self) -> EngineStatus:
        """See Engine.status."""
        running = self._open()
        store, view = running.store, running.driver.view
        position = store.state.position
        return EngineStatus(
            store.behind.image.cluster_id,
            position.revision,
            position.floor,
            view.term,
            view.leads,
            len(store.state),
            self.disk.file_bytes(),
        )

    @property
    def _store(self) -> Opened:
        return self._open().store

    def _open(self) -> Running:
        if self._running is None:
            raise StoreError("the store is not open")
        return self._running

    def _leading(self) -> Running:
        """Raises NotLeaderError unless this member takes writes, or soon will for it is alone."""
        running = self._open()
        if not running.driver.view.leads:
            if not running.alone:
                raise self._not_leader(running)
            running.driver.resume()
        return running

    def _not_leader(self, running: Running) -> NotLeaderError:
        leader = running.driver.view.leader
        if not leader or leader == running.store.member:
            return NotLeaderError("no control node leads at this moment: try again")
        member = running.membership.known(leader)
        return NotLeaderError(f'control node "{member.name}" leads', member.endpoints)

    @property
    def member(self) -> int:
        """This member's id."""
        return self._store.member

    def members(self) -> list[Standing]:
        """The group as it is known here, by id."""
        return self._open().membership.standings()

    async def announce(self, member: Member) -> None:
        """Have a member's names and addresses kept. Raises NotLeaderError, StoreError."""
        row = self.row(member.key)
        if row is None or row.value != member.encode():
            await self.commit(Commit(b"", (Write(member.key, member.encode(), ANY),)))

    async def add_member(self, member: Member) -> None:
        """See Membership.add."""
        await self._leading().membership.add(member)

    async def promote_member(self, member: int) -> None:
        """See Membership.promote."""
        await self._leading().membership.promote(member)

    async def remove_member(self, member: int) -> None:
        """See Membership.remove."""
        await self._leading().membership.remove(member)

    async def transfer(self, member: int) -> None:
        """See Membership.transfer."""
        await self._leading().membership.transfer(member)
