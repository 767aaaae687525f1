"""Proposals at the leader: what is taken into the log, and what is refused.

A change of the configuration is taken only while no other may be unapplied and it fits the
configuration in force (dissertation 4.1, 4.3). One that is not taken leaves an empty entry in its
place, so that the entries proposed with it keep their order. The checks see the applied
configuration, which may be older than the log's: they refuse too much rather than too little.

Pure module.
"""

from holdfast.control.raft.changes import ConfChange, ConfChangeV2
from holdfast.control.raft.core.replication import append_entries, broadcast_append
from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import ProposalDroppedError, StepError
from holdfast.control.raft.messages import NONE, Entry, EntryType, Message, decode_conf_change


def on_propose(state: RaftState, message: Message) -> None:
    """Append the entries of `message` to the leader's log and send them out.

    Raises:
        ProposalDroppedError: leadership is being handed over, this node is no longer a member, or
            too much is uncommitted.
        StepError: there are no entries, or one is no valid change of the configuration.
    """
    if not message.entries:
        raise StepError("a proposal must have at least one entry")
    if state.id not in state.tracker.progress or state.transferee != NONE:
        raise ProposalDroppedError
    entries = message.entries
    if any(entry.type != EntryType.NORMAL for entry in entries):
        entries = _with_checked_changes(state, message)
    if not append_entries(state, entries):
        raise ProposalDroppedError
    broadcast_append(state)


def _with_checked_changes(state: RaftState, message: Message) -> list[Entry]:
    entries = list(message.entries)
    changes = [_decode(entry) for entry in entries]
    last = state.log.last_index()
    for position, change in enumerate(changes):
        if change is None:
            continue
        objection = _objection(state, change)
        if objection and not state.disable_conf_change_validation:
            entries[position] = Entry()
            if state.logger:
                state.logger(f"{state.id:x} ignores the change {change}: {objection}")
        else:
            state.pending_conf_index = last + position + 1
    return entries


def _decode(entry: Entry) -> ConfChange | ConfChangeV2 | None:
    try:
        return decode_conf_change(entry)
    except ValueError as error:
        raise StepError(str(error)) from error


def _objection(state: RaftState, change: ConfChange | ConfChangeV2) -> str:
    applied = state.log.applied
    if state.pending_conf_index > applied:
        return f"one at {state.pending_conf_index} may be unapplied (applied: {applied})"
    joint = state.tracker.config.voters.is_joint
    leaves = not change.as_v2().changes
    if joint and not leaves:
        return "the joint configuration must be left first"
    if leaves and not joint:
        return "there is no joint configuration to leave"
    return ""
