"""What a leader sends to bring others level: appends, snapshots, heartbeats (Raft 5.3, 7).

Whether a member gets anything is its `Progress`'s word: probed, replicated to, or waiting for a
snapshot. Also here: adding entries to the leader's own log, and moving the commit index.

Pure module.
"""

from collections.abc import Sequence

from holdfast.control.raft.core.state import RaftState
from holdfast.control.raft.errors import CompactedError, RaftPanic, SnapshotUnavailableError
from holdfast.control.raft.messages import Entry, Message, MessageType, payload_size
from holdfast.control.raft.progress import Progress, ProgressState


def append_entries(state: RaftState, entries: Sequence[Entry]) -> bool:
    """Give `entries` index and term and add them to the leader's log.

    The leader acknowledges them to itself by an APP_RESP once they are durable.

    Returns:
        False where that would leave too much uncommitted: nothing was added.
    """
    size = payload_size(entries)
    # A tail that is empty takes one proposal of any size, and an empty entry always fits: the
    # first one of a term and the one that leaves a joint configuration must never be refused.
    if (
        size
        and state.uncommitted_bytes
        and state.uncommitted_bytes + size > state.max_uncommitted_bytes
    ):
        if state.logger:
            state.logger(f"{state.id:x} drops a proposal of {size} bytes: too much is uncommitted")
        return False
    state.uncommitted_bytes += size
    start, term = state.log.last_index() + 1, state.term
    last = state.log.append(
        [Entry(start + i, term, entry.type, entry.data) for i, entry in enumerate(entries)]
    )
    state.send(Message(MessageType.APP_RESP, to=state.id, index=last))
    return True


def maybe_commit(state: RaftState) -> bool:
    """Move the commit index to what a quorum has, if that is of the leader's own term.

    Entries of older terms are committed by one of the own term after them (Raft 5.4.2).
    """
    return state.log.maybe_commit(state.tracker.committed(), state.term)


def send_append(state: RaftState, to: int) -> None:
    """Send an append to member `to`, an empty one where there is nothing new, unless paused."""
    maybe_send_append(state, to, state.tracker.progress[to], even_empty=True)


def broadcast_append(state: RaftState) -> None:
    """`send_append` to everybody else."""
    for member, progress in state.tracker.visit():
        if member != state.id:
            maybe_send_append(state, member, progress, even_empty=True)


def maybe_send_append(state: RaftState, to: int, progress: Progress, *, even_empty: bool) -> bool:
    """Send an append or, where its entries are compacted, a snapshot.

    Args:
        state: of the leader.
        to: the member.
        progress: the member's.
        even_empty: whether to send an append without entries; it carries the commit index.

    Returns:
        whether anything was sent.
    """
    if progress.is_paused():
        return False
    log = state.log
    previous = progress.next - 1
    previous_term = log.term(previous)
    if previous_term is None:
        return _maybe_send_snapshot(state, to, progress)
    entries: Sequence[Entry] = ()
    # With a full window only empty appends go out: if all in it were lost, the answer to one
    # (or its rejection) is what frees the window again.
    if progress.state is not ProgressState.REPLICATE or not progress.inflights.full():
        try:
            entries = log.entries(progress.next, state.max_size_per_msg)
        except CompactedError:
            return even_empty and _maybe_send_snapshot(state, to, progress)
    if not entries and not even_empty:
        return False
    state.send(
        Message(
            MessageType.APP,
            to=to,
            index=previous,
            log_term=previous_term,
            entries=entries,
            commit=log.committed,
        )
    )
    progress.sent_entries(len(entries), payload_size(entries))
    progress.sent_commit = log.committed
    return True


def _maybe_send_snapshot(state: RaftState, to: int, progress: Progress) -> bool:
    if not progress.recent_active:
        return False  # nobody would take it; a heartbeat's answer brings us here again
    try:
        snapshot = state.log.snapshot()
    except SnapshotUnavailableError:
        return False
    if snapshot.index == 0:
        raise RaftPanic(f"{to:x} needs compacted entries, and there is no snapshot of them")
    progress.become_snapshot(snapshot.index)
    state.send(Message(MessageType.SNAP, to=to, snapshot=snapshot))
    if state.logger:
        state.logger(f"{state.id:x} sends {to:x} the snapshot at {snapshot.index}")
    return True


def broadcast_heartbeat(state: RaftState) -> None:
    """Send everybody else a heartbeat that also asks for the reads that wait."""
    context = state.reads.context()
    committed = state.log.committed
    for member, progress in state.tracker.visit():
        if member == state.id:
            continue
        # Never more than the member is known to have: it would commit what it does not hold.
        commit = min(progress.match, committed)
        state.send(Message(MessageType.HEARTBEAT, to=member, commit=commit, context=context))
        progress.sent_commit = commit
