"""A follower: takes what its leader sends, passes on what only a leader can answer.

Pure module.
"""

from dataclasses import replace
from typing import Final

from holdfast.control.raft.core.acceptance import take_append, take_heartbeat, take_snapshot
from holdfast.control.raft.core.election import Campaign, stand
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import NONE, Message, MessageType
from holdfast.control.raft.ready import ReadState


def _heard_leader(state: RaftState, message: Message) -> None:
    state.election_elapsed = 0
    state.leader = message.sender


def _on_append(state: RaftState, message: Message) -> None:
    _heard_leader(state, message)
    take_append(state, message)


def _on_heartbeat(state: RaftState, message: Message) -> None:
    _heard_leader(state, message)
    take_heartbeat(state, message)


def _on_snapshot(state: RaftState, message: Message) -> None:
    _heard_leader(state, message)
    take_snapshot(state, message)


def _on_propose(state: RaftState, message: Message) -> None:
    if state.leader == NONE or state.disable_proposal_forwarding:
        raise ProposalDroppedError
    state.send(replace(message, to=state.leader, term=0))


def _pass_on(state: RaftState, message: Message) -> None:
    """To the leader, in the sender's name; without one the sender has to ask again."""
    if state.leader != NONE:
        state.send(replace(message, to=state.leader, term=0))


def _on_forget_leader(state: RaftState, _message: Message) -> None:
    # Under reads by lease the leader counts on not being forgotten before its lease has run out.
    if not state.reads_by_lease:
        state.leader = NONE


def _on_timeout_now(state: RaftState, _message: Message) -> None:
    # No pre-vote: the leader itself asks for this, so nobody comes back from a partition here.
    stand(state, Campaign.TRANSFER)


def _on_read_response(state: RaftState, message: Message) -> None:
    if len(message.entries) == 1:
        state.read_states.append(ReadState(message.index, message.entries[0].data))


HANDLERS: Final = {
    MessageType.PROP: _on_propose,
    MessageType.APP: _on_append,
    MessageType.HEARTBEAT: _on_heartbeat,
    MessageType.SNAP: _on_snapshot,
    MessageType.TRANSFER_LEADER: _pass_on,
    MessageType.READ_INDEX: _pass_on,
    MessageType.FORGET_LEADER: _on_forget_leader,
    MessageType.TIMEOUT_NOW: _on_timeout_now,
    MessageType.READ_INDEX_RESP: _on_read_response,
}
