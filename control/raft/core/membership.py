"""The configuration in force: applying changes, and what follows from them (dissertation 4.1-4.3).

A change counts when it is applied, on each node by itself. Here too is what happens when entries
are applied, because a joint configuration that is to be left automatically is left then.

Pure module.
"""

from typing import Final

from holdfast.control.raft.changes import ConfChange, ConfChangeV2
from holdfast.control.raft.confchange import Changer, ConfChangeError, restore
from holdfast.control.raft.core import reading
from holdfast.control.raft.core.proposals import on_propose
from holdfast.control.raft.core.replication import (
    broadcast_append,
    maybe_commit,
    maybe_send_append,
)
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import ProposalDroppedError, RaftPanic
from holdfast.control.raft.messages import (
    NONE,
    ConfState,
    Entry,
    EntryType,
    Message,
    MessageType,
    Snapshot,
    entries_size,
    payload_size,
)
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.ready import Role
from holdfast.control.raft.tracker import ProgressTracker, TrackerConfig

# No data: it costs nothing against the limit on uncommitted entries, so it is never too large.
_LEAVE_JOINT: Final = (Entry(type=EntryType.CONF_CHANGE_V2),)


def apply_conf_change(state: RaftState, change: ConfChange | ConfChangeV2) -> ConfState:
    """Put an applied change into force; the configuration after it.

    Raises:
        RaftPanic: it does not fit the configuration in force (a leader that checks proposals
            never lets such a change into the log), or a snapshot that contains it was taken
            before it was applied.
    """
    wanted = change.as_v2()
    snapshot = state.log.unstable.snapshot
    if snapshot is not None:
        # The configuration in force is the snapshot's already, and nothing that follows the
        # snapshot is handed out before it is in place: this change lies below.
        raise RaftPanic(
            f"the change {wanted} was overtaken by the snapshot at {snapshot.index}: "
            "what lies at or below apply_floor() is not applied"
        )
    changer = Changer(state.tracker, state.log.last_index())
    try:
        if wanted.leaves_joint:
            config, progress = changer.leave_joint()
        elif wanted.enters_joint:
            config, progress = changer.enter_joint(wanted.auto_leave, wanted.changes)
        else:
            config, progress = changer.simple(wanted.changes)
    except ConfChangeError as error:
        raise RaftPanic(f"the change {wanted} cannot be applied: {error}") from error
    return _switch_to(state, config, progress)


def restore_configuration(state: RaftState, wanted: ConfState) -> None:
    """Put the configuration of a snapshot or of the last run into force.

    Raises:
        RaftPanic: it is no configuration.
    """
    old = state.tracker
    state.tracker = ProgressTracker(old.max_inflight, old.max_inflight_bytes)
    try:
        config, progress = restore(Changer(state.tracker, state.log.last_index()), wanted)
    except ConfChangeError as error:
        raise RaftPanic(f"{wanted} cannot be restored: {error}") from error
    restored = _switch_to(state, config, progress)
    if restored != _in_order(wanted):
        raise RaftPanic(f"{wanted} was restored as {restored}")


def _in_order(conf: ConfState) -> ConfState:
    return ConfState(
        tuple(sorted(conf.voters)),
        tuple(sorted(conf.learners)),
        tuple(sorted(conf.voters_outgoing)),
        tuple(sorted(conf.learners_next)),
        conf.auto_leave,
    )


def _switch_to(state: RaftState, config: TrackerConfig, progress: dict[int, Progress]) -> ConfState:
    tracker = state.tracker
    tracker.install(config, progress)
    conf_state = tracker.conf_state()
    if state.logger:
        state.logger(f"{state.id:x} is in configuration {conf_state}")
    if state.role is not Role.LEADER:
        return conf_state
    own = tracker.progress.get(state.id)
    if own is None or own.is_learner:
        if state.step_down_on_removal:
            state.become_follower(state.term, NONE)
        return conf_state
    _reach_out(state)
    if state.transferee != NONE and not config.voters.has(state.transferee):
        state.transferee = NONE
    return conf_state


def _reach_out(state: RaftState) -> None:
    """Commit and answer what the new quorum allows; let new members hear of the log at once."""
    committed = maybe_commit(state)
    reading.release(state)
    reading.answer_confirmed(state)
    if committed:
        broadcast_append(state)
        return
    for member, progress in state.tracker.visit():
        if member != state.id:
            maybe_send_append(state, member, progress, even_empty=False)


def on_applied(state: RaftState, message: Message) -> None:
    """The state machine has applied the entries of `message`."""
    entries = message.entries
    if entries:
        applied_to(state, entries[-1].index, entries_size(entries))
        # The estimate runs from below: entries of former leaders were never counted.
        state.uncommitted_bytes = max(0, state.uncommitted_bytes - payload_size(entries))


def snapshot_applied(state: RaftState, snapshot: Snapshot) -> None:
    """The snapshot is durable and is the state machine's state."""
    state.log.unstable.stable_snapshot_to(snapshot.index)
    applied_to(state, snapshot.index, 0)


def applied_to(state: RaftState, index: int, size: int) -> None:
    """Raise the applied mark; leave a joint configuration where that is due.

    Args:
        state: of any node.
        index: the last entry applied.
        size: encoded bytes of the entries that were acknowledged by this.
    """
    applied = max(index, state.log.applied)
    state.log.applied_to(applied, size)
    if (
        state.tracker.config.auto_leave
        and applied >= state.pending_conf_index
        and state.role is Role.LEADER
    ):
        try:
            on_propose(state, Message(MessageType.PROP, entries=_LEAVE_JOINT))
        except ProposalDroppedError:
            # Leadership is being handed over: the next leader does it, or the next entry here.
            if state.logger:
                state.logger(f"{state.id:x} does not leave the joint configuration yet")
