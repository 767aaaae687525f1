"""The fields of one node and the moves between its roles.

Everything in `core` works on a `RaftState`; only `raft.Raft` makes one. Messages are queued here
in two lists. What votes (for a candidate, or for an append) waits in `messages_after_append` until
all that was decided before it is durable; everything else may leave at once (dissertation 3.8).
Rejections wait too: they are rare, and then nothing has to be proved about them.

Pure module.
"""

from collections.abc import Callable
from typing import Final

from holdfast.control.raft.core.config import Config, ReadOnlyOption
from holdfast.control.raft.core.readonly import ReadQueue
from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.inflights import Inflights
from holdfast.control.raft.log.log import RaftLog
from holdfast.control.raft.messages import NONE, HardState, Message, MessageType
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.ready import ReadState, Role, SoftState
from holdfast.control.raft.tracker import ProgressTracker

_ELECTION_TYPES: Final = frozenset(
    (
        MessageType.VOTE,
        MessageType.VOTE_RESP,
        MessageType.PRE_VOTE,
        MessageType.PRE_VOTE_RESP,
    )
)
_AFTER_APPEND_TYPES: Final = frozenset(
    (MessageType.APP_RESP, MessageType.VOTE_RESP, MessageType.PRE_VOTE_RESP)
)
# Forwarded on a user's behalf: they belong to no term.
_TERMLESS_TYPES: Final = frozenset((MessageType.PROP, MessageType.READ_INDEX))


class RaftState:
    """One node's whole volatile state; term, vote and commit are also made durable."""

    __slots__ = (
        "check_quorum",
        "disable_conf_change_validation",
        "disable_proposal_forwarding",
        "election_elapsed",
        "election_timeout",
        "heartbeat_elapsed",
        "heartbeat_timeout",
        "id",
        "leader",
        "log",
        "logger",
        "max_size_per_msg",
        "max_uncommitted_bytes",
        "messages",
        "messages_after_append",
        "pending_conf_index",
        "pending_reads",
        "pre_vote",
        "randomized_election_timeout",
        "randomness",
        "read_states",
        "reads",
        "role",
        "step_down_on_removal",
        "term",
        "tracker",
        "transferee",
        "uncommitted_bytes",
        "vote",
    )

    def __init__(self, config: Config) -> None:
        self.id = config.id
        self.term = 0
        self.vote = NONE
        self.leader = NONE
        self.role = Role.FOLLOWER
        self.log = RaftLog(config.storage, config.max_applying_bytes)
        self.tracker = ProgressTracker(config.max_inflight_msgs, config.max_inflight_bytes)

        self.messages: list[Message] = []  # to others, sent at once
        self.messages_after_append: list[Message] = []  # also to itself, once all is durable
        self.read_states: list[ReadState] = []

        self.election_timeout = config.election_tick
        self.heartbeat_timeout = config.heartbeat_tick
        self.randomness = config.randomness
        # Ticks since the leader was last heard of; on a leader, since the last quorum check.
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0  # leader only
        self.randomized_election_timeout = 0  # election_timeout .. 2 * election_timeout - 1

        self.transferee = NONE  # leader only: whom leadership is being handed to (3.10)
        # Leader only: at or above the index of the last change of the configuration that may not
        # be applied yet. No other is taken before that.
        self.pending_conf_index = 0
        self.uncommitted_bytes = 0  # leader only, data bytes, an estimate from below
        self.reads = ReadQueue(config.read_only_option)
        self.pending_reads: list[Message] = []  # until an entry of the own term is committed

        self.max_size_per_msg = config.max_size_per_msg
        self.max_uncommitted_bytes = config.max_uncommitted_bytes
        self.check_quorum = config.check_quorum
        self.pre_vote = config.pre_vote
        self.disable_proposal_forwarding = config.disable_proposal_forwarding
        self.disable_conf_change_validation = config.disable_conf_change_validation
        self.step_down_on_removal = config.step_down_on_removal
        self.logger: Callable[[str], None] | None = config.logger

    @property
    def hard_state(self) -> HardState:
        """What must survive a restart, as it is now."""
        return HardState(self.term, self.vote, self.log.committed)

    @property
    def soft_state(self) -> SoftState:
        """Who leads and what this node is."""
        return SoftState(self.leader, self.role)

    @property
    def reads_by_lease(self) -> bool:
        """Whether reads rely on the clock."""
        return self.reads.option is ReadOnlyOption.LEASE_BASED

    def promotable(self) -> bool:
        """Whether this node may become leader: a voter whose log does not wait for a snapshot."""
        progress = self.tracker.progress.get(self.id)
        return (
            progress is not None and not progress.is_learner and self.log.unstable.snapshot is None
        )

    def committed_in_term(self) -> bool:
        """Whether an entry of the current term is committed: only then is the mark complete."""
        return self.log.term(self.log.committed) == self.term

    def send(self, message: Message) -> None:
        """Queue `message`, with sender and term filled in; the caller gives it away."""
        if message.sender == NONE:
            message.sender = self.id
        kind = message.type
        if kind in _ELECTION_TYPES:
            # Its term may differ from ours: a pre-vote asks for a term nobody is in yet.
            if message.term == 0:
                raise RaftPanic(f"the term must be set when sending {kind}")
        elif message.term != 0:
            raise RaftPanic(f"the term must not be set when sending {kind}")
        elif kind not in _TERMLESS_TYPES:
            message.term = self.term
        if kind in _AFTER_APPEND_TYPES:
            self.messages_after_append.append(message)
        elif message.to == self.id:
            raise RaftPanic(f"{kind} must not be sent to oneself")
        else:
            self.messages.append(message)

    def become_follower(self, term: int, leader: int) -> None:
        """Follow `leader` (NONE: not known) in `term`, which is not lower than ours."""
        self.reset(term)
        self.leader = leader
        self.role = Role.FOLLOWER
        if self.logger:
            self.logger(f"{self.id:x} is a follower in term {self.term}")

    def become_candidate(self) -> None:
        """Enter the next term and vote for oneself there."""
        if self.role is Role.LEADER:
            raise RaftPanic("a leader cannot become a candidate")
        self.reset(self.term + 1)
        self.vote = self.id
        self.role = Role.CANDIDATE
        if self.logger:
            self.logger(f"{self.id:x} is a candidate in term {self.term}")

    def become_pre_candidate(self) -> None:
        """Ask whether an election could be won; term and vote stay, timers run on."""
        if self.role is Role.LEADER:
            raise RaftPanic("a leader cannot become a pre-candidate")
        self.tracker.reset_votes()
        self.leader = NONE
        self.role = Role.PRE_CANDIDATE
        if self.logger:
            self.logger(f"{self.id:x} is a pre-candidate in term {self.term}")

    def reset(self, term: int) -> None:
        """Forget what belonged to a role or term. Every change of role but to pre-candidate."""
        if self.term != term:
            self.term = term
            self.vote = NONE
        self.leader = NONE
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.randomized_election_timeout = self.election_timeout + self.randomness(
            self.election_timeout
        )
        self.transferee = NONE
        self.pending_conf_index = 0
        self.uncommitted_bytes = 0
        self.reads = ReadQueue(self.reads.option)
        self.pending_reads = []
        self._reset_progress()

    def _reset_progress(self) -> None:
        tracker = self.tracker
        tracker.reset_votes()
        last = self.log.last_index()
        progress = tracker.progress
        for member, old in progress.items():
            progress[member] = Progress(
                Inflights(tracker.max_inflight, tracker.max_inflight_bytes),
                match=last if member == self.id else 0,
                next=last + 1,
                is_learner=old.is_learner,
            )
