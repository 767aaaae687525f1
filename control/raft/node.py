"""The door of the core: proposals and messages in, Ready rounds out.

One object drives a `RawNode`, from one thread. After whatever went in, while `has_ready()`: take
`ready()`, make its entries, hard state and snapshot durable, send its messages, apply its
committed entries, call `advance()`. With asynchronous storage writes, instead: send messages to
others at once, queue those to LOCAL_APPEND and LOCAL_APPLY (each queue in order, never dropped),
and when one is done deliver its `responses`, those to this node by `step`. There is no `advance()`.
A snapshot may overtake entries that are queued to be applied: see `apply_floor`.

Committed entries may be applied before they are durable here only in the synchronous mode, where
durability comes first within the round.

Pure module.
"""

from collections.abc import Sequence

from holdfast.control.raft.changes import ConfChange, ConfChangeV2
from holdfast.control.raft.core.config import Config, ReadOnlyOption
from holdfast.control.raft.core.membership import apply_conf_change
from holdfast.control.raft.core.raft import Raft
from holdfast.control.raft.errors import (
    ProposalDroppedError,
    RaftPanic,
    StepError,
    StepLocalError,
    StepPeerNotFoundError,
)
from holdfast.control.raft.messages import (
    LOCAL_TARGETS,
    LOCAL_TYPES,
    RESPONSE_TYPES,
    ConfState,
    Entry,
    Message,
    MessageType,
    Snapshot,
    encode_conf_change,
    entries_size,
)
from holdfast.control.raft.ready import ReadState, Ready, Role, SoftState, Status
from holdfast.control.raft.rounds import append_answers, append_order, apply_answer, apply_order

__all__ = [
    "Config",
    "ProposalDroppedError",
    "RaftPanic",
    "RawNode",
    "ReadOnlyOption",
    "ReadState",
    "Ready",
    "Role",
    "SoftState",
    "Status",
    "StepError",
    "StepLocalError",
    "StepPeerNotFoundError",
]


class RawNode:
    """One node of one group."""

    __slots__ = ("_asynchronous", "_hard_state", "_on_advance", "_soft_state", "raft")

    def __init__(self, config: Config) -> None:
        """Start or restart from `config.storage`.

        Raises:
            RaftPanic: what is stored contradicts itself.
        """
        self.raft = Raft(config)
        self._asynchronous = config.async_storage_writes
        # As of the last Ready: only what differs is handed out.
        self._soft_state = self.raft.soft_state
        self._hard_state = self.raft.hard_state
        self._on_advance: list[Message] = []

    def tick(self) -> None:
        """Let one tick pass."""
        self.raft.tick()

    def campaign(self) -> None:
        """Stand for election now, where this node may."""
        self.raft.step(Message(MessageType.HUP))

    def propose(self, data: bytes) -> None:
        """Propose `data` as one entry.

        Raises:
            ProposalDroppedError: nobody takes it now.
        """
        self.raft.step(Message(MessageType.PROP, sender=self.raft.id, entries=(Entry(data=data),)))

    def propose_conf_change(self, change: ConfChange | ConfChangeV2) -> None:
        """Propose a change of the configuration; the leader may put an empty entry in its place.

        Raises:
            ProposalDroppedError: nobody takes it now.
        """
        self.raft.step(Message(MessageType.PROP, entries=(encode_conf_change(change),)))

    def apply_conf_change(self, change: ConfChange | ConfChangeV2) -> ConfState:
        """Put a change into force when its entry is applied, before that is acknowledged.

        Returns:
            the configuration after it, to be stored with the applied index.
        """
        return apply_conf_change(self.raft, change)

    def apply_floor(self) -> int:
        """The index up to which nothing may be applied any more: it is applied, or in a snapshot.

        Only with asynchronous storage writes can a queued entry lie below: a snapshot was taken
        in the meantime, and the configuration is the snapshot's from then on. To be asked before
        each entry is applied, and before its change of the configuration is put into force; one
        that lies below is skipped, and its order is answered as if it had been applied.
        """
        log = self.raft.log
        snapshot = log.unstable.snapshot
        return log.applied if snapshot is None else max(log.applied, snapshot.index)

    def step(self, message: Message) -> None:
        """Take a message of a peer, or a response of this node's own storage.

        Raises:
            StepLocalError: a local message that does not come from this node's storage.
            StepPeerNotFoundError: a response of somebody outside of the configuration.
            ProposalDroppedError: a proposal that cannot be taken.
            RaftPanic: it contradicts what is committed here.
        """
        kind = message.type
        if message.sender not in LOCAL_TARGETS:
            if kind in LOCAL_TYPES:
                raise StepLocalError
            if kind in RESPONSE_TYPES and message.sender not in self.raft.tracker.progress:
                raise StepPeerNotFoundError
        self.raft.step(message)

    def read_index(self, context: bytes) -> None:
        """Ask which index a read must wait for; the answer is a ReadState with `context`.

        There may be none (no leader, a lost message, a full queue): ask again after a while.
        """
        self.raft.step(Message(MessageType.READ_INDEX, entries=(Entry(data=context),)))

    def transfer_leader(self, member: int) -> None:
        """Hand leadership to `member`, given up after an election timeout."""
        self.raft.step(Message(MessageType.TRANSFER_LEADER, sender=member))

    def forget_leader(self) -> None:
        """Act as if no leader were known, so that others' votes are answered at once."""
        self.raft.step(Message(MessageType.FORGET_LEADER))

    def report_unreachable(self, member: int) -> None:
        """The last messages to `member` were probably lost."""
        self.raft.step(Message(MessageType.UNREACHABLE, sender=member))

    def report_snapshot(self, member: int, ok: bool) -> None:
        """The transfer of the snapshot to `member` ended. To be told for every SNAP sent."""
        self.raft.step(Message(MessageType.SNAP_STATUS, sender=member, reject=not ok))

    def status(self) -> Status:
        """A copy of what this node knows."""
        raft = self.raft
        progress = {}
        if raft.role is Role.LEADER:
            progress = {member: each.clone() for member, each in raft.tracker.visit()}
        return Status(
            raft.id,
            raft.hard_state,
            raft.soft_state,
            raft.log.applied,
            raft.transferee,
            raft.tracker.config,
            progress,
        )

    def has_ready(self) -> bool:
        """Whether `ready()` has anything to say."""
        raft = self.raft
        if raft.messages or raft.messages_after_append or raft.read_states:
            return True
        log, soft, hard = raft.log, self._soft_state, self._hard_state
        # Field by field: this is asked after every step, and states are seldom new.
        if log.committed != hard.commit or raft.term != hard.term or raft.vote != hard.vote:
            return True
        if raft.role is not soft.role or raft.leader != soft.leader:
            return True
        unstable = log.unstable
        return (
            unstable.has_next_entries()
            or unstable.next_snapshot() is not None
            or (log.applying < log.committed and log.has_next_committed(not self._asynchronous))
        )

    def ready(self) -> Ready:
        """Hand out the next round, which must be performed (see the module).

        Raises:
            RaftPanic: the round before was not advanced.
        """
        raft = self.raft
        if self._on_advance:
            raise RaftPanic("a round was taken before the one before it was advanced")
        log = raft.log
        hard_state, soft_state = raft.hard_state, raft.soft_state
        before = self._hard_state
        entries = log.unstable.next_entries()
        committed = log.next_committed(not self._asynchronous)
        snapshot = log.unstable.next_snapshot()
        changed = hard_state if hard_state != before else None
        messages = raft.messages
        if self._asynchronous:
            append = append_order(raft, changed, entries, snapshot)
            if append is not None:
                messages.append(append)
            if committed:
                messages.append(apply_order(raft, committed))
        else:
            self._split_after_append(messages, snapshot, committed)
        ready = Ready(
            soft_state=soft_state if soft_state != self._soft_state else None,
            hard_state=changed,
            read_states=raft.read_states,
            entries=entries,
            snapshot=snapshot,
            committed_entries=committed,
            messages=messages,
            must_sync=bool(entries)
            or hard_state.vote != before.vote
            or hard_state.term != before.term,
        )
        self._soft_state, self._hard_state = soft_state, hard_state
        self._accept(committed)
        return ready

    def advance(self) -> None:
        """The last round is performed. Not used with asynchronous storage writes."""
        if self._asynchronous:
            raise RaftPanic("advance() has no meaning with asynchronous storage writes")
        messages, self._on_advance = self._on_advance, []
        for message in messages:
            self.raft.step(message)

    def _accept(self, committed: Sequence[Entry]) -> None:
        raft = self.raft
        raft.messages, raft.messages_after_append, raft.read_states = [], [], []
        raft.log.unstable.accept_in_progress()
        if committed:
            raft.log.accept_applying(
                committed[-1].index, entries_size(committed), not self._asynchronous
            )

    def _split_after_append(
        self, messages: list[Message], snapshot: Snapshot | None, committed: Sequence[Entry]
    ) -> None:
        """Messages that wait for the disk: to others now (the caller writes first), to this node
        when the round is advanced."""
        raft = self.raft
        for message in raft.messages_after_append:
            (self._on_advance if message.to == raft.id else messages).append(message)
        self._on_advance += append_answers(raft, snapshot)
        if committed:
            self._on_advance.append(apply_answer(raft, committed))
