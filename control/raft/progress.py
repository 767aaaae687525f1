"""What a leader knows of one follower's log, and how it may send to it.

Pure module. The leader keeps one `Progress` a member, itself included. A follower whose last index
is unknown is probed: one append, then silence until an answer or a heartbeat's answer. One that
answers is replicated to: `next` runs ahead of `match`, bounded by the inflights. One that needs
entries which are compacted gets a snapshot, and nothing else until it answers.

Only the leader's role changes a progress, by the methods here; nothing here sends a message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.control.raft.inflights import Inflights


class ProgressState(StrEnum):
    """How the leader sends to the follower."""

    PROBE = "probe"
    """Its last index is unknown: one append at a time."""
    REPLICATE = "replicate"
    """Its log matches: appends follow each other without waiting."""
    SNAPSHOT = "snapshot"
    """A snapshot is on its way: no appends."""


@dataclass(slots=True)
class Progress:
    """One member's place in the leader's log. Invariant: 0 ≤ match < next."""

    inflights: Inflights
    """The appends on their way; used in REPLICATE."""
    match: int = 0
    """The highest index at which the member's log is known to equal the leader's."""
    next: int = 1
    """The next index to send: all between match and next are on their way."""
    state: ProgressState = ProgressState.PROBE
    sent_commit: int = 0
    """The highest commit index on its way to the member. It falls back with `next`, since what
    was sent beyond may not have arrived."""
    pending_snapshot: int = 0
    """In SNAPSHOT: the index of the snapshot on its way; 0 otherwise. An append's answer at any
    index that meets the leader's log ends the state, whatever this says: the snapshot may have
    been made elsewhere, at another index."""
    recent_active: bool = False
    """Whether the member was heard of since the last check of the quorum."""
    msg_app_flow_paused: bool = False
    """In PROBE after the probe, in REPLICATE while the inflights are full: no append until an
    answer to one, or to a heartbeat, unsets this."""
    is_learner: bool = False

    def become_probe(self) -> None:
        """Go to PROBE. After a snapshot the probe starts behind it, else behind `match`."""
        start = self.match + 1
        if self.state is ProgressState.SNAPSHOT:
            start = max(start, self.pending_snapshot + 1)
        self._enter(ProgressState.PROBE)
        self.next = start
        self.sent_commit = min(self.sent_commit, start - 1)

    def become_replicate(self) -> None:
        """Go to REPLICATE, sending from behind `match`."""
        self._enter(ProgressState.REPLICATE)
        self.next = self.match + 1

    def become_snapshot(self, index: int) -> None:
        """Go to SNAPSHOT.

        Args:
            index: the index of the snapshot that is sent.
        """
        self._enter(ProgressState.SNAPSHOT)
        self.pending_snapshot = index
        self.next = index + 1
        self.sent_commit = index

    def sent_entries(self, count: int, size_bytes: int) -> None:
        """Note an append that was sent, from `next` on.

        An append without entries is a probe only where the window is full: in PROBE it does not
        pause the flow.

        Args:
            count: how many entries it has.
            size_bytes: their size.

        Raises:
            AssertionError: in SNAPSHOT, where no append may be sent.
        """
        if self.state is ProgressState.REPLICATE:
            if count:
                self.next += count
                self.inflights.add(self.next - 1, size_bytes)
            self.msg_app_flow_paused = self.inflights.full()
        elif self.state is ProgressState.PROBE:
            if count:
                self.msg_app_flow_paused = True
        else:
            raise AssertionError(f"an append was sent to a member in state {self.state}")

    def can_bump_commit(self, index: int) -> bool:
        """Return whether sending this commit index could move the member's.

        A member commits at most what it has, which is next - 1 if all arrives: once that much was
        sent, more is useless until there are more entries.
        """
        return self.sent_commit < index and self.sent_commit < self.next - 1

    def maybe_update(self, index: int) -> bool:
        """Take an append's acknowledgement.

        Args:
            index: up to where the member's log equals the leader's.

        Returns:
            False where this was known already (an answer out of order).
        """
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, index + 1)
        self.msg_app_flow_paused = False
        return True

    def maybe_decr_to(self, rejected: int, match_hint: int) -> bool:
        """Take an append's rejection.

        Args:
            rejected: the index before the rejected append's entries.
            match_hint: where the member thinks the logs may agree.

        Returns:
            False where the rejection is of the past: replicating, and at or below `match`; or
            probing, and not of the latest probe. Otherwise `next` was lowered.
        """
        if self.state is ProgressState.REPLICATE:
            if rejected <= self.match:
                return False
            self.next = self.match + 1
        else:
            if rejected != self.next - 1:
                return False
            self.next = max(min(rejected, match_hint + 1), self.match + 1)
            self.msg_app_flow_paused = False
        self.sent_commit = min(self.sent_commit, self.next - 1)
        return True

    def is_paused(self) -> bool:
        """Return whether no append with entries may be sent now."""
        return self.state is ProgressState.SNAPSHOT or self.msg_app_flow_paused

    def fork(self) -> Progress:
        """Return a copy that shares the inflights: a membership change edits only its flags."""
        return replace(self)

    def clone(self) -> Progress:
        """Return a copy that shares nothing, for a status."""
        return replace(self, inflights=self.inflights.clone())

    def _enter(self, state: ProgressState) -> None:
        self.msg_app_flow_paused = False
        self.pending_snapshot = 0
        self.state = state
        self.inflights.reset()
