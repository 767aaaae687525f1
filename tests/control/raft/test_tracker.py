"""The tracker: what the members' progress and votes add up to."""

from __future__ import annotations

import pytest

from holdfast.control.raft.inflights import Inflights
from holdfast.control.raft.messages import ConfState
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.quorum import JointConfig, MajorityConfig, VoteResult
from holdfast.control.raft.tracker import ProgressTracker, TrackerConfig


def _tracker(
    incoming: tuple[int, ...], outgoing: tuple[int, ...] = (), learners: tuple[int, ...] = ()
) -> ProgressTracker:
    tracker = ProgressTracker(3, 100)
    voters = JointConfig(MajorityConfig(incoming), MajorityConfig(outgoing))
    progress = {
        member: Progress(Inflights(3), is_learner=member in learners)
        for member in reversed((*voters.ids(), *learners))
    }
    tracker.install(TrackerConfig(voters, MajorityConfig(learners)), progress)
    return tracker


def test_an_empty_group() -> None:
    tracker = ProgressTracker(3)
    assert tracker.conf_state() == ConfState()
    assert not tracker.is_singleton()
    assert list(tracker.visit()) == []


def test_members_are_visited_in_the_order_of_their_ids() -> None:
    tracker = _tracker((5, 1), (9,), (3,))
    assert [member for member, _ in tracker.visit()] == [1, 3, 5, 9]
    assert tracker.voter_nodes() == (1, 5, 9)
    assert tracker.learner_nodes() == (3,)


def test_conf_state() -> None:
    tracker = _tracker((2, 1), (4, 3), (5,))
    tracker.config = tracker.config._replace(learners_next=MajorityConfig([4]), auto_leave=True)
    assert tracker.conf_state() == ConfState((1, 2), (5,), (3, 4), (4,), True)


@pytest.mark.parametrize(
    ("incoming", "outgoing", "singleton"),
    [((1,), (), True), ((1, 2), (), False), ((1,), (2,), False)],
)
def test_is_singleton(
    incoming: tuple[int, ...], outgoing: tuple[int, ...], singleton: bool
) -> None:
    assert _tracker(incoming, outgoing).is_singleton() is singleton


def test_learners_commit_nothing() -> None:
    tracker = _tracker((1, 2, 3), learners=(4, 5))
    for member, match in ((1, 9), (4, 9), (5, 9)):
        tracker.progress[member].match = match
    assert tracker.committed() == 0
    tracker.progress[2].match = 7
    assert tracker.committed() == 7


@pytest.mark.parametrize(
    ("active", "quorum"), [({1}, False), ({1, 4, 5}, False), ({1, 2}, True), ({1, 2, 4}, True)]
)
def test_learners_are_no_quorum(active: set[int], quorum: bool) -> None:
    tracker = _tracker((1, 2, 3), learners=(4, 5))
    for member, progress in tracker.visit():
        progress.recent_active = member in active
    assert tracker.quorum_active() is quorum


def test_a_member_votes_once() -> None:
    tracker = _tracker((1, 2, 3))
    tracker.record_vote(1, False)
    tracker.record_vote(1, True)
    tracker.record_vote(2, True)
    assert tracker.tally_votes() == (1, 1, VoteResult.PENDING)
    tracker.record_vote(3, True)
    assert tracker.tally_votes() == (2, 1, VoteResult.WON)
    tracker.reset_votes()
    assert tracker.tally_votes() == (0, 0, VoteResult.PENDING)


def test_votes_of_learners_and_strangers_are_not_counted() -> None:
    tracker = _tracker((1, 2, 3), learners=(4,))
    for member in (1, 4, 7, 8):
        tracker.record_vote(member, True)
    assert tracker.tally_votes() == (1, 0, VoteResult.PENDING)
