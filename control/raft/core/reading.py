"""Read index at the leader: which index a reader must have applied (dissertation 6.4, Raft 8).

A new leader does not know what is committed before an entry of its own term is, so reads wait for
that; then for a quorum to confirm that it still leads. A single voter needs no confirmation.

Pure module.
"""

from holdfast.control.raft.core.readonly import READS_MAX
from holdfast.control.raft.core.replication import broadcast_heartbeat
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.messages import NONE, Message, MessageType
from holdfast.control.raft.ready import ReadState


def on_read_index(state: RaftState, message: Message) -> None:
    """Take a read of this node or of a follower. Dropped without an answer where too many wait."""
    if len(message.entries) != 1:
        return
    if not state.committed_in_term():
        if len(state.pending_reads) < READS_MAX:
            state.pending_reads.append(message)
    elif state.tracker.is_singleton():
        _answer(state, message, state.log.committed)
    else:
        _confirm_leadership(state, message)


def release(state: RaftState) -> None:
    """Take the reads that waited for an entry of this term to be committed, if one is."""
    if not state.pending_reads or not state.committed_in_term():
        return
    waiting, state.pending_reads = state.pending_reads, []
    for message in waiting:
        on_read_index(state, message)


def on_heartbeat_response(state: RaftState, message: Message) -> None:
    """Answer the reads that this confirms."""
    if state.reads_by_lease or not message.context:
        return
    state.reads.acknowledge(message.sender, message.context)
    answer_confirmed(state)


def answer_confirmed(state: RaftState) -> None:
    """Answer the reads that the voters in force vouch for."""
    for read in state.reads.confirm(state.tracker.config.voters):
        _answer(state, read.request, read.commit)


def _confirm_leadership(state: RaftState, message: Message) -> None:
    committed = state.log.committed
    if state.reads_by_lease:
        _answer(state, message, committed)
    elif state.reads.add(committed, message):
        state.reads.acknowledge(state.id, state.reads.context())
        broadcast_heartbeat(state)


def _answer(state: RaftState, request: Message, index: int) -> None:
    if request.sender in (NONE, state.id):
        state.read_states.append(ReadState(index, request.entries[0].data))
        return
    state.send(
        Message(
            MessageType.READ_INDEX_RESP, to=request.sender, index=index, entries=request.entries
        )
    )
