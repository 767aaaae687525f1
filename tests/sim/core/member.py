"""One member of the core tier: a RawNode, its queues, its state machine and its disk.

`work` does one unit: take a Ready, write a batch, apply a batch, hand over a local answer. The
run decides whose unit is next, so anything may lie between two of them, a crash too. In
asynchronous mode the queues are the storage messages; in synchronous mode the steps of one Ready
(persist, send, apply, advance).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from holdfast.control.raft.errors import CompactedError, RaftPanic, StepError
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    Snapshot,
    decode_conf_change,
)
from holdfast.control.raft.node import RawNode
from holdfast.control.raft.ready import Role
from holdfast.control.store import records
from holdfast.control.store.commands import Compact
from holdfast.control.store.state import Applied
from tests.sim.core.configuration import config
from tests.sim.core.disk import Disk, Image, freeze, thaw
from tests.sim.core.plan import Plan

if TYPE_CHECKING:
    from tests.sim.core.cluster import Cluster


class Member:
    """A member, running or not. `node` is None while it is down."""

    def __init__(self, cluster: Cluster, ident: int, disk: Disk) -> None:
        self.id = ident
        self.disk = disk
        # Until which step all of it stands still, its disk, its state machine.
        self.paused_until = self._disk_until = self._machine_until = 0
        self.starts = 0
        self.newest = 0  # the newest index it ever applied
        self._cluster = cluster
        self._plan: Plan = cluster.plan
        self._rng = cluster.streams["disk"]
        self._works = cluster.streams["work"]
        self._timeouts = cluster.streams["timeouts"]
        self.node: RawNode | None = None
        self.role = Role.FOLLOWER

    @property
    def running(self) -> bool:
        """It has a process that is not paused."""
        return self.node is not None and self.paused_until <= self._cluster.step

    def pause(self, steps: int) -> None:
        """It stands still for so many steps."""
        self.paused_until = self._cluster.step + steps

    def stall_disk(self, steps: int) -> None:
        """Its disk does nothing for so many steps."""
        self._disk_until = self._cluster.step + steps

    def stall_machine(self, steps: int) -> None:
        """Its state machine does nothing for so many steps."""
        self._machine_until = self._cluster.step + steps

    @property
    def promotable(self) -> bool:
        """It may stand for election."""
        return self.node is not None and self.node.raft.promotable()

    @property
    def changing(self) -> bool:
        """It leads, and a change of the configuration may not be applied yet."""
        raft = self.node.raft if self.node else None
        return raft is not None and raft.pending_conf_index > raft.log.applied

    @property
    def _disk_works(self) -> bool:
        return self._disk_until <= self._cluster.step

    @property
    def _machine_works(self) -> bool:
        return self._machine_until <= self._cluster.step

    def start(self) -> None:
        """Begin from what is on disk."""
        image = self.disk.image
        self.starts += 1
        self._take(image)
        self.writes: deque[Message] = deque()
        self.applies: deque[Message] = deque()
        self.inbox: deque[Callable[[RawNode], None]] = deque()
        self.pending: deque[Callable[[], None]] = deque()
        self.waiting: dict[bytes, tuple[int, int]] = {}
        self.asked: dict[bytes, int] = {}
        self.reads: list[tuple[int, int]] = []
        self.role = Role.FOLLOWER
        timeouts = self._timeouts
        self.node = RawNode(config(self._plan, self.id, self.disk, image.applied, timeouts.below))

    def _take(self, image: Image) -> None:
        self.state = thaw(image)
        self.applied = image.applied
        self.conf = image.conf

    def compact(self) -> None:
        """Drop log entries that are in the image and that the core knows to be applied, all but
        the newest ones that are to be kept."""
        assert self.node
        known = min(self.disk.image.applied, self.node.raft.log.applied)
        with suppress(CompactedError):  # there is nothing to drop
            self.disk.compact(known - self._plan.log_kept)
            self._cluster.count("log compacted")

    @property
    def unsynced(self) -> bool:
        """Something is on its way to its disk."""
        return self.node is not None and bool(self.writes or self.pending)

    def log_end(self) -> tuple[int, int]:
        """Term and index of the last entry of its log, as elections compare them."""
        index, term = self.node.raft.log.last_id() if self.node else (0, 0)
        return term, index

    def crash(self) -> None:
        """Everything that is not on disk is gone."""
        if self.unsynced:
            self._cluster.count("crash with writes not synced")
        self.node = None

    def busy(self) -> bool:
        """There is a unit of work."""
        node = self.node
        if node is None:
            return False
        if self.inbox or (self.applies and self._machine_works):
            return True
        if not self.pending and node.has_ready():
            return True
        if self.writes or self.pending or self.applied > self.disk.image.applied:
            return self._disk_works
        return False

    def work(self) -> None:
        """Do one unit, whichever is next by chance."""
        node = self.node
        if node is None:
            return
        units = self._units(node)
        if units:  # else its disk, or its state machine, takes its time
            try:
                self._works.choice(units)()
            except RaftPanic as error:
                self._cluster.panicked(self, error)

    def _units(self, node: RawNode) -> list[Callable[[], None]]:
        """What may be done next."""
        units: list[Callable[[], None]] = []
        rng, plan, disk_works = self._rng, self._plan, self._disk_works
        if self.inbox:
            units.append(self._answer)
        if self.writes and disk_works and rng.random() < plan.sync:
            units.append(self._write)
        if self.applies and self._machine_works and rng.random() < plan.apply:
            units.append(self._apply_next)
        if self.pending and disk_works and rng.random() < plan.sync:
            units.append(self._next_step)
        elif not self.pending and node.has_ready():
            units.append(self._ready)
        if not units and not self.writes and disk_works:
            units.append(self._flush)
        return units

    def hurry(self) -> None:
        """From now on it runs, and its disk and its state machine are fast."""
        self._plan = replace(self._plan, sync=1.0, apply=1.0)
        self.paused_until = self._disk_until = self._machine_until = 0

    def ask(self, deed: Callable[[RawNode], None]) -> None:
        """Do something to the node, if it runs; a panic ends its process."""
        if self.node is None:
            return
        try:
            deed(self.node)
        except RaftPanic as error:
            self._cluster.panicked(self, error)

    def step(self, message: Message) -> None:
        """A message arrived. One that may not be stepped is dropped, as the driver does."""
        try:
            if self.node is not None:
                self.node.step(message)
        except RaftPanic as error:
            self._cluster.panicked(self, error)
        except StepError:
            self._cluster.count("message refused")

    def _hear(self, message: Message, node: RawNode) -> None:
        """A message of this member to itself, an answer of its disk perhaps."""
        log, index = node.raft.log, message.index
        before = log.term(index)
        node.step(message)
        if message.type == MessageType.STORAGE_APPEND_RESP and index:
            self._cluster.ledger.logs.answered(self.id, index, before, log.term(index))

    def _answer(self) -> None:
        answer = self.inbox.popleft()
        assert self.node
        try:
            answer(self.node)
        except StepError:
            self._cluster.count("message refused")

    def _ready(self) -> None:
        assert self.node
        ready = self.node.ready()
        if ready.soft_state:
            self.role = ready.soft_state.role
            if self.role == Role.LEADER:
                self._cluster.led(self)
        for state in ready.read_states:
            floor = self.asked.pop(state.context, None)
            if floor is not None:
                self.reads.append((state.index, floor))
        self._serve_reads()
        if self._plan.asynchronous:
            self._send(ready.messages)
            return
        self.pending += (
            lambda: self._persist(ready.hard_state, ready.entries, ready.snapshot),
            lambda: self._acknowledge(ready.messages),
            lambda: self._send(ready.messages),
            lambda: self._apply(ready.committed_entries),
            self._advance,
        )

    def _next_step(self) -> None:
        self.pending.popleft()()

    def _advance(self) -> None:
        assert self.node
        self.node.advance()

    def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            to = message.to
            if message.type is MessageType.VOTE_RESP and not message.reject:
                self._cluster.ledger.elections.voted(self.id, message.term, to)
            if to == LOCAL_APPEND:
                self.writes.append(message)
            elif to == LOCAL_APPLY:
                self.applies.append(message)
            elif to == self.id:
                self.inbox.append(partial(self._hear, message))
            else:
                self._cluster.send(self, message)

    def _write(self) -> None:
        """Sync one batch, in order; its answers may go out from then on."""
        message = self.writes.popleft()
        hard = HardState(message.term, message.vote, message.commit)
        self._persist(hard if any(hard) else None, message.entries, message.snapshot)
        self._acknowledge(message.responses)
        self._send(message.responses)

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.type is MessageType.APP_RESP and not message.reject:
                self._cluster.acknowledged(self, message)

    def _persist(
        self, hard: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        disk, cluster = self.disk, self._cluster
        if snapshot is not None and snapshot.index:
            if snapshot.conf_state.voters_outgoing:
                cluster.count("snapshot while joint")
            if self.applies:
                cluster.count("snapshot with applies on their way")
            cluster.count("snapshot installed")
            cluster.moments.append(("snapshot taken", self))
            self._take(disk.receive(snapshot))
        image = None
        if self._rng.random() < self._plan.image:
            image = self._image()
        if entries:
            self._log(entries)
        disk.write(hard, entries, image)
        cluster.ledger.logs.ends(self.id, disk.last_index(), disk.commit)
        if self._plan.compact_each and image is not None:
            spare = image.applied - disk.first_index() - self._plan.log_kept
            if spare >= self._plan.compact_each:
                self.compact()

    def _log(self, entries: Sequence[Entry]) -> None:
        disk, first = self.disk, entries[0].index
        if first <= disk.last_index():
            self._cluster.count("tail truncated")
        if disk.first_index() <= first <= disk.last_index() + 1:
            self._cluster.ledger.logs.written(self.id, disk.term(first - 1), entries)

    def _flush(self) -> None:
        """Nothing else is to be written: at times the image goes alone."""
        if self._rng.random() < self._plan.image:
            self.disk.write(None, (), self._image())

    def _image(self) -> Image:
        there = self.disk.image
        if there.applied == self.applied:
            return there
        return freeze(self.state, self.applied, self.conf)

    def _apply_next(self) -> None:
        message = self.applies.popleft()
        self._apply(message.entries)
        self._send(message.responses)

    def _apply(self, entries: Sequence[Entry]) -> None:
        assert self.node
        for entry in entries:
            # A snapshot was taken over it in the meantime, or is even installed.
            if entry.index > max(self.applied, self.node.apply_floor()):
                self._apply_entry(entry)
        self._serve_reads()

    def _apply_entry(self, entry: Entry) -> None:
        cluster, state = self._cluster, self.state
        commands: Sequence[records.Command] = ()
        results: list[Applied] = []
        if entry.type == EntryType.NORMAL:
            commands = cluster.decoded(entry.data) if entry.data else []
        else:
            self._change(entry)
        for command in commands:
            if isinstance(command, Compact):
                state.compact(command.floor)
            else:
                results.append(state.apply(entry.term, command))
        self.applied = entry.index
        if self.starts > 1 and entry.index <= self.newest:
            cluster.count("entry applied again after a restart")
        self.newest = max(self.newest, entry.index)
        assert self.node
        cluster.ledger.applied(
            self.id, self.node.raft.term, entry, commands, state, self.conf, results
        )
        for command in commands:
            if isinstance(command, Compact):
                continue
            applied = results.pop(0)
            asked = self.waiting.pop(command.id, None)
            if asked is not None:
                cluster.answered(self, entry, command, asked, applied)

    def _change(self, entry: Entry) -> None:
        """A change of the configuration; the core is told at the moment it is applied."""
        assert self.node
        change = decode_conf_change(entry)
        assert change is not None
        before = self.conf
        self.conf = self.node.apply_conf_change(change)
        self._cluster.changed(self, before)

    def _serve_reads(self) -> None:
        for index, floor in [*self.reads]:
            if index <= self.applied:
                self.reads.remove((index, floor))
                self._cluster.count("read served")
                if self.role != Role.LEADER:
                    self._cluster.count("read served by a follower")
                self._cluster.ledger.read(self.id, floor, self.state.position.revision)

    def transfer_ended(self, to: int, ok: bool) -> None:
        """The transport says how a snapshot's way to a peer ended."""
        if self.node is not None:
            self.inbox.append(lambda node: node.report_snapshot(to, ok))
