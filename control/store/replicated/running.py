"""What exists of a raft engine between its start and its stop: the parts, joined, and their tasks.

The engine makes one a start. The order of the end matters: the transport first, then the driver
finishes and flushes what is applied, then everything else is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import HardState, Snapshot
from holdfast.control.raft.shell.driver import Driver
from holdfast.control.raft.shell.seams import Observer, Setup, Transport
from holdfast.control.store import records
from holdfast.control.store.commands import Change
from holdfast.control.store.replicated.machine import StoreMachine
from holdfast.control.store.replicated.members import RESOURCE, Member, Membership, alone
from holdfast.control.store.replicated.opening import Opened
from holdfast.control.store.replicated.port import StorePort
from holdfast.control.store.replicated.proposals import Proposals
from holdfast.control.store.replicated.upkeep import Upkeep
from holdfast.control.store.replicated.writer import Keep, Needs, StoreWriter


class Owner(Observer, Protocol):
    """The engine, as its parts see it."""

    transport: Transport

    def tell(self, changes: Sequence[Change]) -> None: ...

    def expelled(self) -> None: ...

    async def compact(self, floor: int) -> None: ...

    async def install(self, snapshot: Snapshot, state: HardState) -> None: ...

    async def guard(self, job: Callable[[], Awaitable[None]]) -> None: ...


class Running:
    """The parts of one open engine."""

    def __init__(self, owner: Owner, store: Opened, setup: Setup, keep: Keep) -> None:
        self.store = store
        self._owner = owner
        self.upkeep = Upkeep(store, owner.compact, lambda: self.driver.view.leads, self._verify)
        self._verified = 0  # the revision that was compared last
        self.proposals = Proposals(lambda data: self.driver.propose(data), store.log.last_index)
        self._machine = StoreMachine(store, self._tell, self.proposals.take, self.configured)
        self._writer = StoreWriter(
            store, keep, self._wrote, self._switched, self._needs, owner.install
        )
        self.driver = Driver(setup, store.log, self._writer, self._machine, owner.transport, owner)
        self.membership = Membership(store, self.driver, owner.expelled)
        self.port = StorePort(store, self.driver, self.membership, self.begin, owner.failed)
        store.log.offer = self.port.sending.offer
        self._others: dict[asyncio.Task[None], None] = {}
        self._jobs = [asyncio.create_task(owner.guard(job)) for job in self.driver.jobs]
        for job in (self.proposals.run, self.upkeep.run):
            self.begin(job)

    def begin(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run something until it ends or the engine does; an error in it ends the engine."""
        task = asyncio.create_task(self._owner.guard(job))
        self._others[task] = None
        task.add_done_callback(lambda done: self._others.pop(done, None))

    @property
    def alone(self) -> bool:
        """Whether this member decides by itself."""
        return alone(self.store.log.conf, self.store.member)

    async def start(self) -> None:
        """Join the group."""
        await self._owner.transport.attach(self.port)
        self.configured()
        self.driver.start()

    def configured(self) -> None:
        """The group or its addresses changed."""
        ids = self.membership.ids()
        rows = [Member.decode(row.key, row.value) for row in self.store.state.rows(RESOURCE)]
        known = dict.fromkeys(ids, "") | {one.id: one.peer for one in rows if not one.removed}
        known.pop(self.store.member, None)
        self._owner.transport.peers(known)

    def _tell(self, changes: Sequence[Change]) -> None:
        self._owner.tell(changes)
        if changes[0].key.resource == RESOURCE:  # members are never written beside others
            self.configured()

    def _wrote(self, total: int) -> None:
        self.upkeep.wrote(total)
        self.proposals.poke()

    def _switched(self) -> None:
        self.upkeep.switched()
        self.proposals.poke()

    def _verify(self) -> None:
        """Have every member compare its state with this one's, when something was written."""
        revision = self.store.state.position.revision
        if revision == self._verified or self.membership.ids() == (self.store.member,):
            return
        self._verified = revision
        with suppress(ProposalDroppedError):  # leadership is being handed over: the next one will
            self.driver.propose(records.encode([self._machine.check()]))

    def _needs(self) -> Needs:
        core = self.driver.acknowledged
        if self.membership.ids() in ((self.store.member,), ()):
            return Needs(core, None)
        needed, oldest = self.driver.needed(), self.port.sending.oldest
        return Needs(core, needed if oldest is None else min(needed, oldest))

    async def halt(self) -> None:
        """Take nothing more from peers, finish what is under way, and flush."""
        await self._owner.transport.detach()
        self.driver.halt()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    def cancel(self) -> None:
        """End every task but the one that runs."""
        current = asyncio.current_task()
        for task in (*self._jobs, *self._others):
            if task is not current:
                task.cancel()

    async def end(self) -> None:
        """End what is left."""
        await self._owner.transport.detach()
        self.cancel()
        await asyncio.gather(*self._jobs, *self._others, return_exceptions=True)
        await self.port.sending.close()
