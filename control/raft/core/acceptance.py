"""What a follower takes from its leader: appends, commit indexes, snapshots (Raft 5.3, 7).

Pure module.
"""

from holdfast.control.raft.core.membership import restore_configuration
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.messages import ConfState, Message, MessageType, Snapshot
from holdfast.control.raft.ready import Role


def take_append(state: RaftState, message: Message) -> None:
    """Append the leader's entries, or tell it where the logs may agree."""
    log, leader = state.log, message.sender
    if message.index < log.committed:
        # All up to there is the same everywhere: the leader may go on behind it.
        state.send(Message(MessageType.APP_RESP, to=leader, index=log.committed))
        return
    last = log.maybe_append(message.index, message.log_term, message.entries, message.commit)
    if last is not None:
        state.send(Message(MessageType.APP_RESP, to=leader, index=last))
        return
    # All of the leader's log up to there has at most this term, so nothing of ours with a higher
    # one can agree: the leader need not try those indexes one by one.
    hint, hint_term = log.find_conflict_by_term(
        min(message.index, log.last_index()), message.log_term
    )
    state.send(
        Message(
            MessageType.APP_RESP,
            to=leader,
            index=message.index,
            log_term=hint_term,
            reject=True,
            reject_hint=hint,
        )
    )


def take_heartbeat(state: RaftState, message: Message) -> None:
    """Commit as far as the leader knows this log to agree with its own."""
    state.log.commit_to(message.commit)
    state.send(Message(MessageType.HEARTBEAT_RESP, to=message.sender, context=message.context))


def take_snapshot(state: RaftState, message: Message) -> None:
    """Begin anew from the leader's snapshot, where it is ahead of this node."""
    snapshot = message.snapshot or Snapshot()
    taken = _restore(state, snapshot)
    index = state.log.last_index() if taken else state.log.committed
    state.send(Message(MessageType.APP_RESP, to=message.sender, index=index))
    if state.logger:
        verb = "restores" if taken else "ignores"
        state.logger(f"{state.id:x} {verb} the snapshot at {snapshot.index}")


def _restore(state: RaftState, snapshot: Snapshot) -> bool:
    log = state.log
    if snapshot.index <= log.committed:
        return False
    if state.role is not Role.FOLLOWER:
        # Out of reach, since every way here makes a follower first; leaving the term is safe.
        state.become_follower(state.term + 1, 0)
        return False
    if not _is_member(state.id, snapshot.conf_state):
        return False  # sent by mistake: a node outside of the group has no use for its state
    if log.matches(snapshot.index, snapshot.term):
        log.commit_to(snapshot.index)  # the entries are all here: only the mark was behind
        return False
    log.restore(snapshot)
    restore_configuration(state, snapshot.conf_state)
    return True


def _is_member(member: int, conf: ConfState) -> bool:
    # learners_next are voters_outgoing too.
    return member in conf.voters or member in conf.learners or member in conf.voters_outgoing
