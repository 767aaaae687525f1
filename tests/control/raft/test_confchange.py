"""Membership changes: what is refused, and properties over random chains of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.control.raft.confchange import Changer, ConfChangeError, restore
from holdfast.control.raft.inflights import Inflights
from holdfast.control.raft.messages import ConfChangeSingle, ConfChangeType, ConfState
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.quorum import JointConfig, MajorityConfig
from holdfast.control.raft.tracker import ProgressTracker, TrackerConfig
from tests.control.raft.scripts import changes

SOME = st.one_of(
    [
        st.sampled_from([frozenset(chosen) for chosen in combinations(range(1, 8), size)])
        for size in range(1, 5)
    ]
)
CHANGES = st.lists(
    st.sampled_from([ConfChangeSingle(kind, n) for kind in ConfChangeType for n in range(8)]),
    max_size=6,
).map(tuple)


def _changer(conf_state: ConfState, last_index: int = 10) -> Changer:
    empty = Changer(ProgressTracker(10), last_index)
    tracker = ProgressTracker(10)
    tracker.install(*restore(empty, conf_state))
    return Changer(tracker, last_index)


@st.composite
def conf_states(draw: st.DrawFn, simple: bool = False) -> ConfState:
    """Any legal configuration, joint or not; simple: not joint."""
    voters = draw(SOME)
    joint = not simple and draw(st.booleans())
    outgoing = draw(SOME) if joint else frozenset[int]()
    beside = draw(st.integers(0, 255))  # a bit a member: beside the voters, in its own way
    staged = frozenset(m for m in outgoing - voters if beside >> m & 1)
    learners = frozenset(m for m in range(1, 8) if beside >> m & 1) - voters - outgoing
    auto_leave = bool(outgoing) and draw(st.booleans())
    groups = [tuple(sorted(group)) for group in (voters, learners, outgoing, staged)]
    return ConfState(groups[0], groups[1], groups[2], groups[3], auto_leave)


@settings(deadline=None)
@given(conf_states())
def test_a_restored_configuration_is_the_one_described(conf_state: ConfState) -> None:
    tracker = _changer(conf_state).tracker
    assert tracker.conf_state() == conf_state
    described = {
        *conf_state.voters,
        *conf_state.learners,
        *conf_state.voters_outgoing,
        *conf_state.learners_next,
    }
    assert list(tracker.progress) == sorted(described)
    for member, progress in tracker.visit():
        assert progress.is_learner is (member in conf_state.learners)
        assert (progress.match, progress.next, progress.recent_active) == (0, 10, True)


@pytest.mark.parametrize(
    "conf_state",
    [
        ConfState(voters=(1, 2, 3), learners=(3,)),
        ConfState(voters=(1, 2), voters_outgoing=(2, 3), learners_next=(4,)),
        ConfState(learners=(1,)),
        ConfState(voters_outgoing=(1,)),
    ],
)
def test_an_illegal_description_does_not_come_true(conf_state: ConfState) -> None:
    try:
        tracker = _changer(conf_state).tracker
    except ConfChangeError:
        return
    assert tracker.conf_state() != conf_state


@dataclass
class Twin:
    """The rules of a change in plain words: each member is a voter, a learner, or neither; those
    who vote in the old half wait with becoming a learner."""

    voters: set[int]
    learners: set[int]
    old: set[int] = field(default_factory=set)
    staged: set[int] = field(default_factory=set)

    def make(self, wanted: tuple[ConfChangeSingle, ...]) -> None:
        """Make the changes in order."""
        for kind, member in wanted:
            if member and kind is not ConfChangeType.UPDATE_NODE:
                self._one(kind, member)

    def _one(self, kind: ConfChangeType, member: int) -> None:
        for group in (self.voters, self.learners, self.staged):
            group.discard(member)
        if kind is ConfChangeType.ADD_NODE:
            self.voters.add(member)
        elif kind is ConfChangeType.ADD_LEARNER_NODE:
            (self.staged if member in self.old else self.learners).add(member)

    def conf_state(self, auto_leave: bool) -> ConfState:
        """The configuration, as the product would say it."""
        groups = [tuple(sorted(g)) for g in (self.voters, self.learners, self.old, self.staged)]
        return ConfState(groups[0], groups[1], groups[2], groups[3], auto_leave)


def _twin(changer: Changer) -> Twin:
    state = changer.tracker.conf_state()
    return Twin(set(state.voters), set(state.learners))


SIMPLE_STATES = conf_states(simple=True)


def _chain(*kinds: ConfChangeType) -> tuple[ConfChangeSingle, ...]:
    """Changes of one voter, which random chains hardly ever name twice."""
    return tuple(ConfChangeSingle(kind, 1) for kind in kinds)


TWO = ConfState((1, 2), (), (), (), False)


@example(TWO, _chain(ConfChangeType.ADD_LEARNER_NODE, ConfChangeType.ADD_NODE), False)
@example(TWO, _chain(ConfChangeType.ADD_LEARNER_NODE, ConfChangeType.REMOVE_NODE), False)
@settings(deadline=None)
@given(SIMPLE_STATES, CHANGES, st.booleans())
def test_entering_and_leaving_follow_the_twin(
    conf_state: ConfState, wanted: tuple[ConfChangeSingle, ...], auto_leave: bool
) -> None:
    changer, tracker = _changer(conf_state), ProgressTracker(10)
    twin = _twin(changer)
    twin.old = set(twin.voters)
    twin.make(wanted)
    if not twin.voters:
        with pytest.raises(ConfChangeError, match="removed all voters"):
            changer.enter_joint(auto_leave, wanted)
        return
    tracker.install(*changer.enter_joint(auto_leave, wanted))
    assert tracker.conf_state() == twin.conf_state(auto_leave)
    assert set(tracker.progress) == twin.voters | twin.old | twin.learners | twin.staged
    tracker.install(*Changer(tracker, 11).leave_joint())
    twin.learners |= twin.staged
    twin.old, twin.staged = set(), set()
    assert tracker.conf_state() == twin.conf_state(False)
    assert set(tracker.progress) == twin.voters | twin.learners


@settings(deadline=None)
@given(SIMPLE_STATES, CHANGES)
def test_a_simple_change_is_one_voter_at_most_and_equals_the_joint_way(
    conf_state: ConfState, wanted: tuple[ConfChangeSingle, ...]
) -> None:
    changer = _changer(conf_state)
    twin = _twin(changer)
    before = set(twin.voters)
    twin.make(wanted)
    if not twin.voters or len(before ^ twin.voters) > 1:
        with pytest.raises(ConfChangeError):
            changer.simple(wanted)
        return
    simple, joint = ProgressTracker(10), ProgressTracker(10)
    simple.install(*changer.simple(wanted))
    joint.install(*changer.enter_joint(False, wanted))
    joint.install(*Changer(joint, 10).leave_joint())
    assert simple.conf_state() == joint.conf_state() == twin.conf_state(False)
    assert {m: p.is_learner for m, p in simple.visit()} == {
        m: p.is_learner for m, p in joint.visit()
    }


@settings(deadline=None)
@given(conf_states(), CHANGES)
def test_a_change_alters_nothing_it_was_given(
    conf_state: ConfState, wanted: tuple[ConfChangeSingle, ...]
) -> None:
    changer = _changer(conf_state)
    before = {member: progress.fork() for member, progress in changer.tracker.visit()}
    attempts: list[Callable[[], object]] = [
        lambda: changer.simple(wanted),
        lambda: changer.enter_joint(True, wanted),
        changer.leave_joint,
    ]
    for attempt in attempts:
        with suppress(ConfChangeError):
            attempt()
        assert changer.tracker.conf_state() == conf_state
        assert changer.tracker.progress == before


def test_progress_is_kept_by_those_who_stay() -> None:
    changer = _changer(ConfState(voters=(1, 2, 3)))
    changer.tracker.progress[2].match = 7
    changer.tracker.progress[2].next = 9
    config, progress = changer.enter_joint(False, changes.parse("l2 r3 v4"))
    assert config.learners_next == (2,)
    assert (progress[2].match, progress[2].next, progress[2].is_learner) == (7, 9, False)
    assert progress[2].inflights is changer.tracker.progress[2].inflights
    assert (progress[4].match, progress[4].next) == (0, 10)
    assert 3 in progress  # it votes in the old half


def test_a_new_member_of_an_empty_log_is_probed_from_its_first_entry() -> None:
    changer = Changer(ProgressTracker(10), 0)
    _, progress = changer.simple(changes.parse("v1"))
    assert progress[1].next == 1


@pytest.mark.parametrize(
    ("config", "learners_marked", "says"),
    [
        (TrackerConfig(JointConfig(MajorityConfig([1, 9]))), (), "no progress for 9"),
        (
            TrackerConfig(JointConfig(MajorityConfig([1])), learners_next=MajorityConfig([2])),
            (),
            "2 is in LearnersNext, but not Voters",
        ),
        (
            TrackerConfig(
                JointConfig(MajorityConfig([1]), MajorityConfig([2])),
                learners_next=MajorityConfig([2]),
            ),
            (2,),
            "2 is in LearnersNext, but is already marked as learner",
        ),
        (
            TrackerConfig(JointConfig(MajorityConfig([1, 2])), MajorityConfig([2])),
            (2,),
            r"2 is in Learners and Voters\[0\]",
        ),
        (
            TrackerConfig(
                JointConfig(MajorityConfig([1]), MajorityConfig([2])), MajorityConfig([2])
            ),
            (2,),
            r"2 is in Learners and Voters\[1\]",
        ),
        (
            TrackerConfig(JointConfig(MajorityConfig([1])), MajorityConfig([2])),
            (),
            "2 is in Learners, but is not marked as learner",
        ),
        (
            TrackerConfig(JointConfig(MajorityConfig([1])), auto_leave=True),
            (),
            "AutoLeave must be false when not joint",
        ),
    ],
)
def test_a_broken_configuration_is_not_built_upon(
    config: TrackerConfig, learners_marked: tuple[int, ...], says: str
) -> None:
    tracker = ProgressTracker(10)
    progress = {
        member: Progress(Inflights(10), is_learner=member in learners_marked) for member in (1, 2)
    }
    tracker.install(config, progress)
    with pytest.raises(ConfChangeError, match=says):
        Changer(tracker, 1).simple(())
