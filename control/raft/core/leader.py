"""A leader: answers to its appends, heartbeats and snapshots, quorum checks, handing over.

Pure module.
"""

from typing import Final

from holdfast.control.raft.core import reading
from holdfast.control.raft.core.proposals import on_propose
from holdfast.control.raft.core.replication import (
    broadcast_append,
    broadcast_heartbeat,
    maybe_commit,
    maybe_send_append,
    send_append,
)
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.messages import NONE, Message, MessageType
from holdfast.control.raft.progress import Progress, ProgressState
from holdfast.control.raft.ready import Role


def tick(state: RaftState) -> None:
    """One tick of a leader."""
    state.heartbeat_elapsed += 1
    state.election_elapsed += 1
    if state.election_elapsed >= state.election_timeout:
        state.election_elapsed = 0
        if state.check_quorum:
            _check_quorum(state, None)
        state.transferee = NONE  # a handing-over that took this long is given up
    if state.role is Role.LEADER and state.heartbeat_elapsed >= state.heartbeat_timeout:
        state.heartbeat_elapsed = 0
        broadcast_heartbeat(state)


def _on_beat(state: RaftState, _message: Message) -> None:
    broadcast_heartbeat(state)


def _check_quorum(state: RaftState, _message: Message | None) -> None:
    if not state.tracker.quorum_active():
        if state.logger:
            state.logger(f"{state.id:x} hears no quorum and no longer leads term {state.term}")
        state.become_follower(state.term, NONE)
    for member, progress in state.tracker.visit():
        if member != state.id:
            progress.recent_active = False


def _on_append_response(state: RaftState, message: Message) -> None:
    progress = state.tracker.progress.get(message.sender)
    if progress is None:
        return
    progress.recent_active = True
    if message.reject:
        _on_rejected(state, message, progress)
    elif progress.maybe_update(message.index) or (
        # An answer that says nothing new still ends probing: the follower is there again.
        progress.match == message.index and progress.state is ProgressState.PROBE
    ):
        _on_accepted(state, message, progress)


def _on_rejected(state: RaftState, message: Message, progress: Progress) -> None:
    hint = message.reject_hint
    if message.log_term > 0:
        # The follower has that term at the hint, and no higher one before it: wherever our term
        # is higher, the logs differ. So one probe a term finds where they agree.
        hint, _ = state.log.find_conflict_by_term(hint, message.log_term)
    if progress.maybe_decr_to(message.index, hint):
        if progress.state is ProgressState.REPLICATE:
            progress.become_probe()
        send_append(state, message.sender)


def _on_accepted(state: RaftState, message: Message, progress: Progress) -> None:
    member = message.sender
    _recover_flow(state, message, progress)
    if maybe_commit(state):
        reading.release(state)
        broadcast_append(state)
    elif member != state.id and progress.can_bump_commit(state.log.committed):
        send_append(state, member)
    if member == state.id:
        return
    # The window may have room for several messages now.
    while maybe_send_append(state, member, progress, even_empty=False):
        pass
    if member == state.transferee and progress.match == state.log.last_index():
        state.send(Message(MessageType.TIMEOUT_NOW, to=member))


def _recover_flow(state: RaftState, message: Message, progress: Progress) -> None:
    if progress.state is ProgressState.REPLICATE:
        progress.inflights.free_le(message.index)
    elif progress.state is ProgressState.PROBE:
        progress.become_replicate()
    elif progress.match + 1 >= state.log.first_index():
        # Wherever the follower got its state from, the log can take it from there. By way of
        # probing, which takes the snapshot's index into account.
        progress.become_probe()
        progress.become_replicate()


def _on_heartbeat_response(state: RaftState, message: Message) -> None:
    progress = state.tracker.progress.get(message.sender)
    if progress is None:
        return
    progress.recent_active = True
    progress.msg_app_flow_paused = False
    # Also to a member whose window is full, or that is level but probed: an empty append then
    # brings the answer that frees the flow, should all others have been lost.
    if progress.match < state.log.last_index() or progress.state is ProgressState.PROBE:
        send_append(state, message.sender)
    reading.on_heartbeat_response(state, message)


def _on_snapshot_status(state: RaftState, message: Message) -> None:
    progress = state.tracker.progress.get(message.sender)
    if progress is None or progress.state is not ProgressState.SNAPSHOT:
        return
    if message.reject:
        progress.pending_snapshot = 0  # before probing: it must not start behind the snapshot
    progress.become_probe()
    # Sent: the follower answers once it has restored it. Failed: the next heartbeat's answer
    # tries again, not sooner.
    progress.msg_app_flow_paused = True


def _on_unreachable(state: RaftState, message: Message) -> None:
    progress = state.tracker.progress.get(message.sender)
    if progress is not None and progress.state is ProgressState.REPLICATE:
        progress.become_probe()  # what was sent ahead of answers is probably lost


def _on_transfer(state: RaftState, message: Message) -> None:
    """Hand leadership to the sender (dissertation 3.10), within one election timeout."""
    target = message.sender
    progress = state.tracker.progress.get(target)
    if progress is None or progress.is_learner or target == state.transferee:
        return
    state.transferee = NONE  # another one that was under way is given up
    if target == state.id:
        return
    if state.logger:
        state.logger(f"{state.id:x} hands term {state.term} over to {target:x}")
    state.election_elapsed = 0
    state.transferee = target
    if progress.match == state.log.last_index():
        state.send(Message(MessageType.TIMEOUT_NOW, to=target))
    else:
        send_append(state, target)


HANDLERS: Final = {
    MessageType.BEAT: _on_beat,
    MessageType.CHECK_QUORUM: _check_quorum,
    MessageType.PROP: on_propose,
    MessageType.READ_INDEX: reading.on_read_index,
    MessageType.APP_RESP: _on_append_response,
    MessageType.HEARTBEAT_RESP: _on_heartbeat_response,
    MessageType.SNAP_STATUS: _on_snapshot_status,
    MessageType.UNREACHABLE: _on_unreachable,
    MessageType.TRANSFER_LEADER: _on_transfer,
}
