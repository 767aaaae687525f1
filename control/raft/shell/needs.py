"""What of a leader's log its peers still need. Pure module."""

from __future__ import annotations

from holdfast.control.raft.core.raft import Raft
from holdfast.control.raft.progress import ProgressState
from holdfast.control.raft.ready import Role


def needed(raft: Raft) -> int:
    """The index that the peer furthest behind has, of those heard of lately; whom a snapshot is
    sent to will need what follows it. On others than the leader: 0."""
    if raft.role is not Role.LEADER:
        return 0
    lowest = raft.log.applied
    for member, progress in raft.tracker.visit():
        if progress.state is ProgressState.SNAPSHOT:
            lowest = min(lowest, progress.pending_snapshot)
        elif progress.recent_active and member != raft.id:
            lowest = min(lowest, progress.match)
    return lowest
