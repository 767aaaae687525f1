"""A candidate, and one that only asks (pre-candidate): counts votes, yields to a leader.

Anything from a leader comes from one of this very term (older ones were ignored, newer ones made
a follower first), so the election is over.

Pure module.
"""

from typing import Final

from holdfast.control.raft.core.acceptance import take_append, take_heartbeat, take_snapshot
from holdfast.control.raft.core.election import on_vote_response
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import Message, MessageType


def _on_append(state: RaftState, message: Message) -> None:
    state.become_follower(message.term, message.sender)
    take_append(state, message)


def _on_heartbeat(state: RaftState, message: Message) -> None:
    state.become_follower(message.term, message.sender)
    take_heartbeat(state, message)


def _on_snapshot(state: RaftState, message: Message) -> None:
    state.become_follower(message.term, message.sender)
    take_snapshot(state, message)


def _on_propose(_state: RaftState, _message: Message) -> None:
    raise ProposalDroppedError


_SHARED: Final = {
    MessageType.PROP: _on_propose,
    MessageType.APP: _on_append,
    MessageType.HEARTBEAT: _on_heartbeat,
    MessageType.SNAP: _on_snapshot,
}
# Each counts only answers to its own question: a late pre-vote is no vote.
HANDLERS: Final = {**_SHARED, MessageType.VOTE_RESP: on_vote_response}
PRE_HANDLERS: Final = {**_SHARED, MessageType.PRE_VOTE_RESP: on_vote_response}
