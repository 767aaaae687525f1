"""The members of the group as one member sees them: configuration, progress and votes.

Pure module. The configuration is a value; `confchange` makes the next one and the core installs
it. The progress of the members counts on the leader only, the votes on a candidate only. Members
are always visited in the order of their ids, so that equal inputs send equal messages.
"""

from __future__ import annotations

from collections.abc import ItemsView
from typing import NamedTuple

from holdfast.control.raft.messages import ConfState
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.quorum import JointConfig, MajorityConfig, VoteResult


class TrackerConfig(NamedTuple):
    """Who belongs to the group, and as what.

    Invariants (kept by `confchange`): no member is both voter and learner; learners_next holds
    only voters of the outgoing half, so it is empty outside of a joint configuration; auto_leave
    is set in a joint configuration only.
    """

    voters: JointConfig = JointConfig()
    learners: MajorityConfig = MajorityConfig()
    """Members that receive the log and do not vote, ascending."""
    learners_next: MajorityConfig = MajorityConfig()
    """Voters of the outgoing half that become learners when the joint configuration is left:
    until then their vote counts in the outgoing half."""
    auto_leave: bool = False
    """Whether the leader itself leaves the joint configuration once it is committed."""


class ProgressTracker:
    """Configuration, progress and votes of a group."""

    __slots__ = ("_progress", "config", "max_inflight", "max_inflight_bytes", "votes")

    def __init__(self, max_inflight: int, max_inflight_bytes: int = 0) -> None:
        """Make the tracker of an empty group.

        Args:
            max_inflight: appends on their way to one member, at most.
            max_inflight_bytes: bytes of entries on their way to one member, 0 for no limit.
        """
        self.config = TrackerConfig()
        self.max_inflight = max_inflight
        self.max_inflight_bytes = max_inflight_bytes
        self.votes: dict[int, bool] = {}
        self._progress: dict[int, Progress] = {}

    @property
    def progress(self) -> dict[int, Progress]:
        """The members' progress, in the order of their ids.

        An entry may be replaced in place; members come and go only by assigning a new mapping,
        which is put in order here.
        """
        return self._progress

    @progress.setter
    def progress(self, progress: dict[int, Progress]) -> None:
        self._progress = dict(sorted(progress.items()))

    def install(self, config: TrackerConfig, progress: dict[int, Progress]) -> None:
        """Take the configuration and progress that a membership change returned."""
        self.config = config
        self.progress = progress

    def conf_state(self) -> ConfState:
        """Return the configuration in the form that snapshots carry."""
        config = self.config
        return ConfState(
            voters=tuple(config.voters.incoming),
            learners=tuple(config.learners),
            voters_outgoing=tuple(config.voters.outgoing),
            learners_next=tuple(config.learners_next),
            auto_leave=config.auto_leave,
        )

    def is_singleton(self) -> bool:
        """Return whether one voter decides alone."""
        voters = self.config.voters
        return len(voters.incoming) == 1 and not voters.outgoing

    def committed(self) -> int:
        """Return the highest index that the voters' acknowledgements commit."""
        return self.config.voters.committed_index(self._acked)

    def visit(self) -> ItemsView[int, Progress]:
        """Return the members' (id, progress), ascending by id."""
        return self._progress.items()

    def quorum_active(self) -> bool:
        """Return whether a quorum was heard of since the last check."""
        heard = {
            member: progress.recent_active
            for member, progress in self._progress.items()
            if not progress.is_learner
        }
        return self.config.voters.vote_result(heard) is VoteResult.WON

    def voter_nodes(self) -> tuple[int, ...]:
        """Return the voters of either half, ascending."""
        return self.config.voters.ids()

    def learner_nodes(self) -> tuple[int, ...]:
        """Return the learners, ascending."""
        return self.config.learners

    def reset_votes(self) -> None:
        """Forget all votes: an election begins or ends."""
        self.votes = {}

    def record_vote(self, member: int, granted: bool) -> None:
        """Note a vote; a member's first one counts."""
        self.votes.setdefault(member, granted)

    def tally_votes(self) -> tuple[int, int, VoteResult]:
        """Return how many voters granted and refused, and how the election stands."""
        granted = refused = 0
        for member, progress in self._progress.items():
            vote = self.votes.get(member)
            if vote is None or progress.is_learner:
                continue
            if vote:
                granted += 1
            else:
                refused += 1
        return granted, refused, self.config.voters.vote_result(self.votes)

    def _acked(self, member: int) -> int | None:
        progress = self._progress.get(member)
        return None if progress is None else progress.match
