"""One Raft node: `tick()` and `step(message)`.

Compares a message's term with the node's, then gives it to whoever handles its type in the
node's role. Nothing is done at once: what is to be written and sent waits in the state for
`node.RawNode`. Not safe for threads, and not reentrant.

Pure module.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from holdfast.control.raft.core import candidate, election, follower, leader
from holdfast.control.raft.core.config import Config
from holdfast.control.raft.core.election import TRANSFER_CONTEXT
from holdfast.control.raft.core.membership import (
    on_applied,
    restore_configuration,
    snapshot_applied,
)
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import NONE, HardState, Message, MessageType
from holdfast.control.raft.ready import Role

Handler: TypeAlias = Callable[[RaftState, Message], None]

_FROM_LEADER: Final = frozenset((MessageType.APP, MessageType.HEARTBEAT, MessageType.SNAP))


def _on_appended(state: RaftState, message: Message) -> None:
    """Storage holds what a STORAGE_APPEND of this term asked for."""
    if message.index:
        state.log.unstable.stable_to(message.index, message.log_term)
    if message.snapshot is not None:
        snapshot_applied(state, message.snapshot)


_IN_EVERY_ROLE: Final[Mapping[MessageType, Handler]] = {
    MessageType.HUP: election.on_hup,
    MessageType.VOTE: election.on_vote_request,
    MessageType.PRE_VOTE: election.on_vote_request,
    MessageType.STORAGE_APPEND_RESP: _on_appended,
    MessageType.STORAGE_APPLY_RESP: on_applied,
}
# A type that a role does not list is of no use to it and is ignored.
_HANDLERS: Final[Mapping[Role, Mapping[MessageType, Handler]]] = {
    Role.FOLLOWER: {**_IN_EVERY_ROLE, **follower.HANDLERS},
    Role.CANDIDATE: {**_IN_EVERY_ROLE, **candidate.HANDLERS},
    Role.PRE_CANDIDATE: {**_IN_EVERY_ROLE, **candidate.PRE_HANDLERS},
    Role.LEADER: {**_IN_EVERY_ROLE, **leader.HANDLERS},
}


class Raft(RaftState):
    """A node, beginning as a follower with what its storage says."""

    __slots__ = ()

    def __init__(self, config: Config) -> None:
        """Start or restart from `config.storage`.

        Raises:
            RaftPanic: what is stored contradicts itself.
        """
        super().__init__(config)
        hard_state, conf_state = config.storage.initial_state()
        restore_configuration(self, conf_state)
        if hard_state != HardState():
            self._load(hard_state)
        if config.applied > 0:
            self.log.applied_to(config.applied, 0)
        self.become_follower(self.term, NONE)

    def _load(self, stored: HardState) -> None:
        first, last = self.log.committed, self.log.last_index()
        if not first <= stored.commit <= last:
            raise RaftPanic(
                f"the stored commit index {stored.commit} is out of range [{first}, {last}]"
            )
        self.log.committed = stored.commit
        self.term, self.vote = stored.term, stored.vote

    def tick(self) -> None:
        """Let one tick of time pass."""
        if self.role is Role.LEADER:
            leader.tick(self)
        else:
            election.tick(self)

    def step(self, message: Message) -> None:
        """Take one message; it must not be changed afterwards.

        Raises:
            ProposalDroppedError: a proposal that cannot be taken.
            RaftPanic: the message contradicts what this node knows to be committed.
        """
        term = message.term
        if term != self.term and term != 0:
            if term < self.term:
                self._answer_older(message)
                return
            if not self._meet_newer(message):
                return
        handler = _HANDLERS[self.role].get(message.type)
        if handler is not None:
            handler(self, message)

    def _meet_newer(self, message: Message) -> bool:
        """Move to the message's term where it makes us; False where the message is ignored."""
        kind = message.type
        if kind is MessageType.VOTE or kind is MessageType.PRE_VOTE:
            hears_leader = (
                self.check_quorum
                and self.leader != NONE
                and self.election_elapsed < self.election_timeout
            )
            if hears_leader and message.context != TRANSFER_CONTEXT:
                return False  # somebody cut off must not disturb a leader that works (Raft 6)
        if kind is MessageType.PRE_VOTE:
            return True  # asks about a term that nobody has entered
        if kind is MessageType.PRE_VOTE_RESP and not message.reject:
            return True  # grants us a term that we enter only when we have won
        self.become_follower(message.term, message.sender if kind in _FROM_LEADER else NONE)
        return True

    def _answer_older(self, message: Message) -> None:
        kind = message.type
        if kind is MessageType.PRE_VOTE:
            # A candidate of an older term must hear of ours: before pre-votes were in use it may
            # have been the other way about, and both would wait for ever.
            self.send(
                Message(MessageType.PRE_VOTE_RESP, to=message.sender, term=self.term, reject=True)
            )
        elif kind is MessageType.APP or kind is MessageType.HEARTBEAT:
            if self.check_quorum or self.pre_vote:
                # We are ahead of a leader that works, and our votes are ignored: only hearing of
                # our term makes it step down, so that an election brings us together.
                self.send(Message(MessageType.APP_RESP, to=message.sender))
        elif kind is MessageType.STORAGE_APPEND_RESP and message.snapshot is not None:
            # Entries written in an older term may have been replaced since, so nothing is said
            # about them. A snapshot is committed state, right in every term.
            snapshot_applied(self, message.snapshot)
