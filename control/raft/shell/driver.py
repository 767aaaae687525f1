"""Drives one member of a group: persist, send, apply around the core, in asynchronous mode.

Three tasks, made by the owner from `jobs`: `turn` steps received messages, then at most one tick
however late it is; `write` makes batches durable and only then lets their responses go; `apply`
feeds the state machine. What the core hands out is routed at once by whoever stepped it. An error
in any of them ends the member: the owner ends the process. When the disk is full everything that
is not durable is forgotten, as if the process had crashed and started again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from holdfast.control.raft.errors import ProposalDroppedError, StepError
from holdfast.control.raft.messages import (
    NONE,
    ConfChange,
    ConfChangeV2,
    Entry,
    EntryType,
    Message,
    decode_conf_change,
)
from holdfast.control.raft.node import RawNode
from holdfast.control.raft.ready import Role, Status
from holdfast.control.raft.shell.appends import Appends
from holdfast.control.raft.shell.candidacy import Candidacy
from holdfast.control.raft.shell.needs import needed
from holdfast.control.raft.shell.reads import Reads
from holdfast.control.raft.shell.seams import (
    Batch,
    LogFullError,
    LogWriter,
    Machine,
    Observer,
    Setup,
    Transport,
    View,
)
from holdfast.control.raft.shell.settings import config
from holdfast.control.raft.shell.ticking import TickTimer
from holdfast.control.raft.shell.waits import Waits
from holdfast.control.raft.shell.work import Work
from holdfast.control.raft.storage import LogStorage

IDLE_FLUSH_S = 0.02
"""Rows of applied entries wait this long for a log transaction to ride in."""
FULL_RETRY_S = 1.0
"""On a full disk writing is tried again this often; who asks is tried at once."""
SLICE_S = 0.004
"""Messages are stepped for so long before others run."""


class Driver:
    """One member. `start` before the jobs run."""

    def __init__(
        self, setup: Setup, log: LogStorage, writer: LogWriter, machine: Machine,
        transport: Transport, observer: Observer,
    ) -> None:  # fmt: skip
        self.view = View(0, NONE, Role.FOLLOWER, False)
        self._setup = setup
        self._log = log
        self._writer = writer
        self._machine = machine
        self._transport = transport
        self._observer = observer
        self._node = self._new_node()
        self._inbox: deque[Message] = deque()
        self._wake = asyncio.Event()  # set by receive and the tick's timer; `turn` waits
        self._work = Work(transport, self._new_appends())
        self._waits = Waits()
        self._reads = self._new_reads()
        self._candidacy = Candidacy(setup, observer, self._stand)
        self._flush_s = IDLE_FLUSH_S
        self._paused = False  # the disk is full: nothing is stepped
        self._led_term = 0  # the term whose first own entry was applied here as leader
        self._halted = False  # nothing new is stepped; `write` and `apply` finish and end
        self._ended = False  # `write` has ended

    def start(self) -> None:
        """Begin; a voter that is alone campaigns at once."""
        self._campaign_if_alone()
        self._pump()

    def halt(self) -> None:
        """Step nothing more. The jobs finish what is under way, flush, and end."""
        self._halted = True
        self._wake.set()
        self._work.to_write.set()

    @property
    def jobs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What the owner must run until the end, each as a task."""
        return self.turn, self.write, self.apply

    @property
    def acknowledged(self) -> int:
        """The index up to which the core knows entries as applied: it may still read those above,
        although the state machine is further."""
        return self._node.raft.log.applied

    def needed(self) -> int:
        """The index up to which no peer needs the log (`needs`)."""
        return needed(self._node.raft)

    def status(self) -> Status:
        """What the core knows."""
        return self._node.status()

    def receive(self, message: Message) -> None:
        """A message of a peer. Dropped when too many wait."""
        if len(self._inbox) < self._setup.pace.inbox:
            self._inbox.append(message)
            self._wake.set()

    @property
    def awaits_snapshot(self) -> bool:
        """A snapshot was accepted and is not installed yet."""
        return self._node.raft.log.unstable.snapshot is not None

    def deliver_snapshot(self, message: Message) -> bool:
        """A SNAP message whose state is at hand; whether it was accepted, and will be installed."""
        if self._paused or self._halted:
            return False
        before = self.awaits_snapshot
        self._step(message)
        accepted = self.awaits_snapshot and not before
        self._pump()
        return accepted

    def propose(self, data: bytes) -> tuple[int, int]:
        """Append to the log of this leader; the entry's index and term. What stands there when
        that index is applied may be another leader's.

        Raises ProposalDroppedError: not leader, handing over, or too much is uncommitted.
        """
        if self._paused or self._node.raft.role is not Role.LEADER:
            raise ProposalDroppedError
        self._node.propose(data)
        return self._proposed()

    def propose_change(self, change: ConfChange | ConfChangeV2) -> tuple[int, int]:
        """As `propose`. An entry of type NORMAL stands there when the change was refused, because
        another one is under way."""
        if self._paused or self._node.raft.role is not Role.LEADER:
            raise ProposalDroppedError
        self._node.propose_conf_change(change)
        return self._proposed()

    def _proposed(self) -> tuple[int, int]:
        raft = self._node.raft
        place = raft.log.last_index(), raft.term
        self._pump()
        return place

    async def read_index(self) -> int:
        """An index that covers everything acknowledged anywhere before this call, once applied.
        Waits for ever without a leader: the caller bounds it."""
        reader: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reads.add(reader)
        self._pump()
        return await reader

    async def reach(self, index: int) -> None:
        """Wait until this index is applied."""
        await self._waits.reach(index, lambda: self._machine.applied)

    async def until(self, wanted: Callable[[View], bool]) -> None:
        """Wait until the view is as wanted."""
        await self._waits.until(wanted, lambda: self.view)

    def transfer(self, member: int) -> None:
        """Begin to hand leadership over; it shows in the view, or nothing comes of it."""
        self._node.transfer_leader(member)
        self._pump()

    def unreachable(self, member: int) -> None:
        """Messages to this peer were dropped."""
        self._node.report_unreachable(member)

    def snapshot_sent(self, member: int, done: bool) -> None:
        """How the transfer of a snapshot to this peer ended."""
        self._node.report_snapshot(member, done)
        self._pump()

    def refused(self, member: int) -> None:
        """This peer's streams broke and it refuses connections: its process is gone. When it was
        the leader, the next one is asked for at once, at a random moment so that votes differ."""
        if self._paused or member != self.view.leader or self.view.role is Role.LEADER:
            return
        self._node.forget_leader()
        self._pump()
        self._candidacy.begin(self._node)

    def resume(self) -> None:
        """Try again at once after the disk was full."""
        if self._paused and self._work.applied.is_set():
            self._rebuild()

    def _stand(self, node: RawNode) -> bool:
        """See Candidacy."""
        if node is not self._node or self._paused or self._halted or self.view.leader != NONE:
            return False
        if self.view.role in (Role.FOLLOWER, Role.PRE_CANDIDATE):
            node.campaign()
            self._pump()
        return True

    async def turn(self) -> None:
        """Step what was received, and tick."""
        loop = asyncio.get_running_loop()
        timer = TickTimer(self._setup.pace.tick_s, self._wake)
        try:
            while not self._halted:
                await self._wake.wait()
                self._wake.clear()
                self._take_in(loop.time)
                if timer.due:
                    self._tick()
                    timer.again()
                self._pump()
                if self._inbox:
                    self._wake.set()
                    await asyncio.sleep(0)
        finally:
            timer.cancel()

    def _take_in(self, now: Callable[[], float]) -> None:
        until = now() + SLICE_S
        while self._inbox and now() < until:
            message = self._inbox.popleft()
            if not self._paused:
                self._step(message)

    def _tick(self) -> None:
        if not self._paused:
            self._node.tick()
            self._reads.tick()

    def _step(self, message: Message) -> None:
        try:
            self._node.step(message)
        except StepError:
            return  # of somebody who left the group, or a proposal that found no leader

    def _pump(self) -> None:
        """Route all that the core has ready. An error here ends the member, whoever called."""
        try:
            node = self._node
            while node.has_ready():
                ready = node.ready()
                self._work.route(ready.messages)
                if ready.read_states:
                    self._reads.settle(ready.read_states)
            self._look()
        except BaseException as error:
            self._observer.failed(error)
            raise

    def _look(self) -> None:
        """Tell the observer when something changed."""
        raft = self._node.raft
        leads = raft.role is Role.LEADER and self._led_term == raft.term
        view = View(raft.term, raft.leader, raft.role, leads)
        if view != self.view:
            self.view = view
            self._waits.turned()
            self._observer.turned(view)

    async def write(self) -> None:
        """Make batches durable, one transaction each."""
        while not self._ended:
            await self._until_work()
            batch = self._work.appends.take()
            if batch.snapshot:
                await self._work.applied.wait()
            node = self._node
            try:
                await self._writer.write(batch)
            except LogFullError as error:
                await self._met_full(batch, error)
                continue
            self._flush_s = IDLE_FLUSH_S
            if batch.snapshot:
                self._reached()
            if node is self._node:
                self._respond(batch.responses)
            self._end_when_level()

    def _end_when_level(self) -> None:
        if self._halted and self._work.applied.is_set() and not self._work.appends.urgent:
            self._ended = not self._writer.lagging
            self._work.to_apply.set()

    async def _met_full(self, batch: Batch, error: LogFullError) -> None:
        self._flush_s = FULL_RETRY_S
        if batch.entries or batch.responses or batch.snapshot:
            await self._step_down(error)
        if self._halted:  # what is behind stays in the log, and is replayed from there
            self._ended = True
            self._work.to_apply.set()

    async def _until_work(self) -> None:
        """Until something is to be made durable, or rows wait behind for long enough."""
        while not self._work.appends.urgent:
            self._work.to_write.clear()
            if self._halted and self._work.applied.is_set():
                return
            if not self._writer.lagging and not self._paused:
                await self._work.to_write.wait()
                continue
            try:
                async with asyncio.timeout(self._flush_s):
                    await self._work.to_write.wait()
            except TimeoutError:
                if self._paused:
                    self.resume()
                return

    async def apply(self) -> None:
        """Feed the state machine."""
        while not self._ended:
            while self._work.applies:
                message, node = self._work.applies.popleft(), self._node
                for entry in message.entries:
                    await self._apply_entry(entry)
                self._reached()
                if node is self._node and not self._paused:
                    self._respond(message.responses)
                self._work.to_write.set()
            self._work.applied.set()
            self._work.to_write.set()
            self._work.to_apply.clear()
            if not self._ended:
                await self._work.to_apply.wait()

    async def _apply_entry(self, entry: Entry) -> None:
        if entry.index <= self._node.apply_floor():
            return  # a snapshot that waits to be installed has its effect, and newer members
        if entry.type is EntryType.NORMAL:
            await self._machine.apply(entry)
        else:
            change = decode_conf_change(entry)
            assert change is not None
            self._machine.configure(entry, self._node.apply_conf_change(change))
        raft = self._node.raft
        if raft.role is Role.LEADER and entry.term == raft.term != self._led_term:
            self._led_term = raft.term
            self._look()

    def _reached(self) -> None:
        """Wake those who wait for an index."""
        self._waits.reached(self._machine.applied)

    def _respond(self, responses: Sequence[Message]) -> None:
        outgoing = []
        for message in responses:
            if message.to == self._setup.member:
                self._step(message)
            else:
                outgoing.append(message)
        if outgoing:
            self._transport.send(outgoing)
        self._pump()

    async def _step_down(self, error: LogFullError) -> None:
        """Forget what is not durable. What was handed out to be applied is durable: it is
        applied first, so that the core that comes next does not hand it out again."""
        self._paused = True
        await self._work.applied.wait()
        self._node = self._new_node()
        self._work.appends = self._new_appends()
        self._led_term = 0
        self._observer.full(error)
        self._look()

    def _rebuild(self) -> None:
        self._paused = False
        self._node = self._new_node()
        self._reads = self._new_reads()
        self._campaign_if_alone()
        self._pump()

    def _campaign_if_alone(self) -> None:
        conf = self._log.initial_state()[1]
        if conf.voters == (self._setup.member,) and not conf.voters_outgoing:
            self._node.campaign()

    def _new_node(self) -> RawNode:
        return RawNode(config(self._setup, self._log, self._machine.applied))

    def _new_appends(self) -> Appends:
        return Appends(self._setup.pace.batch_bytes, self._log.initial_state()[0])

    def _new_reads(self) -> Reads:
        return Reads(self._setup.member, lambda context: self._node.read_index(context))
