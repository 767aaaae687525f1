"""A control node of the simulation: the real engine, driver, cache and hub on a simulated host.

`start` makes a process, `crash` ends it at once, `stop` ends it in good order. The disk outlives
all of them. What clients ask is served here (`serve`), as the gRPC services would.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from holdfast.api.identity import Identity
from holdfast.control.cache import Cache, Hub
from holdfast.control.raft.ready import Role
from holdfast.control.raft.shell.seams import Pace, View
from holdfast.control.rpc.level import Level
from holdfast.control.store.commands import Change, Row
from holdfast.control.store.engine import FatalStoreError, StoreError
from holdfast.control.store.raft_engine import BARRIER_S, Options, RaftEngine
from holdfast.control.store.replicated.writer import Keep
from tests.sim.violations import Checker
from tests.sim.whole.controller import Controller
from tests.sim.whole.disk import SimDisk
from tests.sim.whole.network import SimTransport
from tests.sim.whole.stage import Stage
from tests.sim.whole.truth import Applied
from tests.sim.whole.world import Host

CLUSTER = "simulated"
CLIENT = Identity("client")
ELECTION_S = 0.5
HEARTBEAT_S = 0.1
LOG_MOST = 100
"""Entries that may stay for a peer that is behind, more than come while a snapshot is under way."""
LAST_CALLS_S = BARRIER_S + 1.0
"""A read that waits for a leader gives up by then; whoever slept has woken."""


async def _anybody(_context: Any) -> Identity:
    return CLIENT


class Member:
    """One control node, running or not."""

    def __init__(self, stage: Stage, ident: int, voters: tuple[int, ...]) -> None:
        world, plan = stage.world, stage.plan
        self.id = ident
        self.disk = SimDisk(world, f"disk {ident}")
        self.disk.wear.sync_s = plan.sync_s
        self.host: Host | None = None
        self.engine: RaftEngine | None = None
        self.cache: Cache | None = None
        self.hub: Hub | None = None
        self.removed = False  # from the group: whoever removed it has ended it for good
        self.ready = False
        self.starts = 0
        self.stage = stage
        self._world = world
        self._network = stage.network
        self._truth = stage.truth
        self._plan = plan
        self._voters = voters
        self._rate = 1 + world.streams["clocks"].uniform(-plan.rate_spread, plan.rate_spread)
        self._role: tuple[int, bool] = (0, False)

    @property
    def counts(self) -> Counter[str]:
        """The run's counts."""
        return self._network.counts

    @property
    def applied(self) -> int:
        """The newest index it has applied; 0 while it does not run."""
        return self.engine._running.store.log.applied if self.engine and self.ready else 0

    @property
    def leads(self) -> bool:
        """It believes that it leads, and may act."""
        return bool(self.ready and self.engine and self.engine.view.leads)

    def start(self) -> None:
        """Begin a process on what the disk holds, unless it runs or is removed."""
        if self.host is not None or self.removed:
            return
        self.starts += 1
        self._world.note(f"member {self.id} starts")
        self.host = host = self._world.host(f"member {self.id}", self._rate)
        self.disk.host = host
        plan = self._plan
        timeouts = self._world.streams[f"timeouts {self.id}"]
        pace = Pace(
            tick_s=plan.tick_s,
            election_ticks=round(ELECTION_S / plan.tick_s),
            heartbeat_ticks=round(HEARTBEAT_S / plan.tick_s),
            bytes_per_message=plan.bytes_per_message,
            inflight_messages=plan.inflight_messages,
            applying_bytes=plan.applying_bytes,
            inbox=plan.inbox,
        )
        keep = Keep(entries=plan.log_kept, most=plan.log_kept * 10 + LOG_MOST)
        self.engine = RaftEngine(
            self.disk,
            timeouts.randrange,
            cluster_id=CLUSTER,
            options=Options(self.id, self._voters, pace, keep),
            transport=SimTransport(self._network, host, self.id),
        )
        self._role = (0, False)
        self._main = self._world.spawn(host, self._run(host, self.engine))

    async def _run(self, host: Host, engine: RaftEngine) -> None:
        engine.listen(self._changed)
        self.cache = cache = Cache(engine)
        engine.on_reset(self._reset)
        engine.watch(self._turned)
        try:
            await engine.start()
        except FatalStoreError as error:
            self._truth.accuse(Checker.LIVENESS, f"member {self.id} does not start: {error}")
            return
        except StoreError as error:
            self._world.note(f"member {self.id} does not start: {error}")
            self._end_soon(host)
            return
        self.hub = Hub(cache, bookmark_s=self._plan.bookmark_s, records_max=self._plan.ring)
        self.controller = Controller(self)
        self.level = Level(engine, _anybody)
        self._leveling = self._world.spawn(host, self.level.run())
        self._left = False  # it has heard that it was removed
        self.ready = True
        try:
            await engine.until_failed()
        except FatalStoreError as error:
            self._truth.accuse(Checker.LIVENESS, f"member {self.id} failed: {error}")

    def _end_soon(self, host: Host) -> None:
        def end() -> None:
            if self.host is host:
                self.crash()

        self._world.after(0.0, end)

    def crash(self) -> None:
        """End the process at once; only what is synced stays."""
        if self.host is None:
            return
        self._world.note(f"member {self.id} crashes")
        if self.disk.crash():
            self.counts["crash lost a transaction"] += 1
        self._leave()

    def _leave(self) -> None:
        assert self.host
        self._world.kill(self.host)
        self._network.gone(self.id)
        self.host = self.engine = self.cache = self.hub = None
        self.ready = False

    def pause(self, length_s: float) -> None:
        """Stand still for a while, as with SIGSTOP."""
        host = self.host
        if host is None or host.paused:
            return
        host.pause(True)
        self._world.note(f"member {self.id} pauses")

        self._world.after(length_s, lambda: host.pause(False))

    def _turned(self, view: View) -> None:
        """The engine says that leadership changed, as seen here."""
        self._world.note(f"member {self.id} {view.role} of {view.term}")
        if view.role is Role.LEADER and self._role != (view.term, True):
            self.counts["leader elected"] += 1
            self._truth.led(self.id, view.term)
        self._role = (view.term, view.role is Role.LEADER)
        if view.leads and self.ready:
            self.controller.wake()
        if self.ready and not self._left and self._out():
            self._left = True
            self._world.note(f"member {self.id} hears that it is out")
            self.counts["member heard that it is out"] += 1
            assert self.hub
            self.level.remove()
            self.hub.close()

    def _out(self) -> bool:
        """It was removed, as far as it has heard."""
        assert self.engine
        group = [one.member.id for one in self.engine.members()]
        return bool(group) and self.id not in group

    def _changed(self, changes: Sequence[Change]) -> None:
        """The engine tells a commit it has applied (not what it loaded at its start)."""
        engine = self.engine
        if engine is None or engine._running is None:
            return
        store = engine._running.store
        index = store.log.applied + 1
        term, checksum = store.log.term(index), store.state.position.checksum
        for change in changes:
            self._truth.told(self.id, Applied(change, index, term, checksum))

    async def _reset(self, rows: Iterable[Row]) -> Callable[[], None]:
        """A snapshot takes the place of everything here."""
        self.counts["snapshot installed"] += 1
        self._world.note(f"member {self.id} installs a snapshot of {len([*rows])} objects")
        return lambda: None

    async def admit(self) -> None:
        """The door of every call, as `services` puts it. Raises ApiError."""
        await self.level.authenticate(None)  # type: ignore[arg-type]

    async def shut_down(self) -> list[str]:
        """Stop in good order; the tasks that are left then, besides the caller's."""
        assert self.engine and self.hub
        self.hub.close()
        self.controller.close()
        self._main.cancel()
        self._leveling.cancel()
        await self.engine.stop()
        await asyncio.sleep(LAST_CALLS_S)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return sorted(str(task.get_coro().__qualname__) for task in left)
