"""Membership changes: from one configuration and its progress to the next.

Pure module. A `Changer` never alters what it is given; each operation returns a new configuration
and progress map, which the core installs when it applies the entry. Rules: Raft dissertation §4.1
(one voter at a time) and §4.3 (joint consensus: any change, deciding by both majorities between
entering and leaving). Checked before and after each operation, so an illegal configuration is
refused here and cannot come into force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from holdfast.control.raft.inflights import Inflights
from holdfast.control.raft.messages import ConfChangeSingle, ConfChangeType, ConfState
from holdfast.control.raft.progress import Progress
from holdfast.control.raft.quorum import JointConfig, MajorityConfig
from holdfast.control.raft.tracker import ProgressTracker, TrackerConfig

Outcome: TypeAlias = tuple[TrackerConfig, dict[int, Progress]]
"""A configuration and the progress of exactly its members."""


class ConfChangeError(Exception):
    """The change cannot be made to the configuration in force."""


@dataclass(frozen=True, slots=True)
class Changer:
    """Makes changes to the configuration of a tracker, which it only reads."""

    tracker: ProgressTracker
    last_index: int
    """The last index of the log: where a new member is probed first."""

    def simple(self, changes: tuple[ConfChangeSingle, ...]) -> Outcome:
        """Make a change without joint consensus.

        Args:
            changes: at most one voter comes or goes by all of them together.

        Raises:
            ConfChangeError: more than that, no voter left, or the configuration is joint.
        """
        draft = _Draft(self.tracker, self.last_index)
        if draft.outgoing:
            raise ConfChangeError("can't apply simple config change in joint config")
        draft.apply(changes)
        if len(draft.incoming ^ set(self.tracker.config.voters.incoming)) > 1:
            raise ConfChangeError("more than one voter changed without entering joint config")
        return draft.finish(auto_leave=False)

    def enter_joint(self, auto_leave: bool, changes: tuple[ConfChangeSingle, ...]) -> Outcome:
        """Go from C_old to C_new,old: the voters become the outgoing half, the changes are made
        to the incoming one.

        Args:
            auto_leave: whether the leader leaves the joint configuration by itself.
            changes: any number of them.

        Raises:
            ConfChangeError: the configuration is joint already, or has no voters before or after.
        """
        draft = _Draft(self.tracker, self.last_index)
        if draft.outgoing:
            raise ConfChangeError("config is already joint")
        if not draft.incoming:
            raise ConfChangeError("can't make a zero-voter config joint")
        draft.outgoing = set(draft.incoming)
        draft.apply(changes)
        return draft.finish(auto_leave=auto_leave)

    def leave_joint(self) -> Outcome:
        """Go from C_new,old to C_new: the incoming half decides alone, learners that waited for
        the end of their vote become learners, members in neither are forgotten.

        Raises:
            ConfChangeError: the configuration is not joint.
        """
        draft = _Draft(self.tracker, self.last_index)
        if not draft.outgoing:
            raise ConfChangeError("can't leave a non-joint config")
        draft.leave()
        return draft.finish(auto_leave=False)


def restore(changer: Changer, conf_state: ConfState) -> Outcome:
    """Return the configuration that a snapshot describes, with fresh progress.

    Args:
        changer: of a tracker without members.
        conf_state: what to restore; empty for a group without members.

    Raises:
        ConfChangeError: the description is no legal configuration.
    """
    target = (
        *_each(ConfChangeType.ADD_NODE, conf_state.voters),
        *_each(ConfChangeType.ADD_LEARNER_NODE, conf_state.learners),
        *_each(ConfChangeType.ADD_LEARNER_NODE, conf_state.learners_next),
    )
    if not conf_state.voters_outgoing:
        ground = _one_by_one(changer, target)
        return ground.config, ground.progress
    ground = _one_by_one(changer, _each(ConfChangeType.ADD_NODE, conf_state.voters_outgoing))
    cleared = _each(ConfChangeType.REMOVE_NODE, conf_state.voters_outgoing)
    joint = Changer(ground, changer.last_index)
    return joint.enter_joint(conf_state.auto_leave, (*cleared, *target))


def _one_by_one(changer: Changer, changes: tuple[ConfChangeSingle, ...]) -> ProgressTracker:
    """Return a new tracker that has made the changes, each as a simple one."""
    given = changer.tracker
    ground = ProgressTracker(given.max_inflight, given.max_inflight_bytes)
    ground.install(given.config, given.progress)
    for change in changes:
        ground.install(*Changer(ground, changer.last_index).simple((change,)))
    return ground


def _each(kind: ConfChangeType, members: tuple[int, ...]) -> tuple[ConfChangeSingle, ...]:
    return tuple(ConfChangeSingle(kind, member) for member in members)


class _Draft:
    """The configuration while it is edited: sets that are asked and never iterated unsorted."""

    def __init__(self, tracker: ProgressTracker, last_index: int) -> None:
        config = tracker.config
        _check(config, tracker.progress)
        self.incoming = set(config.voters.incoming)
        self.outgoing = set(config.voters.outgoing)
        self.learners = set(config.learners)
        self.learners_next = set(config.learners_next)
        self.progress = {member: each.fork() for member, each in tracker.progress.items()}
        self._max_inflight = tracker.max_inflight
        self._max_inflight_bytes = tracker.max_inflight_bytes
        self._last_index = last_index

    def apply(self, changes: tuple[ConfChangeSingle, ...]) -> None:
        """Make the changes, in order, to the incoming half. Member 0 stands for "refused by the
        application after it was committed" and changes nothing."""
        for change in changes:
            if change.node == 0:
                continue
            match change.type:
                case ConfChangeType.ADD_NODE:
                    self._make_voter(change.node)
                case ConfChangeType.ADD_LEARNER_NODE:
                    self._make_learner(change.node)
                case ConfChangeType.REMOVE_NODE:
                    self._remove(change.node)
                case ConfChangeType.UPDATE_NODE:
                    pass  # of the member's addresses, which are the application's
        if not self.incoming:
            raise ConfChangeError("removed all voters")

    def leave(self) -> None:
        """End the joint configuration."""
        for member in sorted(self.learners_next):
            self.progress[member].is_learner = True
        self.learners |= self.learners_next
        self.learners_next.clear()
        for member in sorted(self.outgoing - self.incoming - self.learners):
            del self.progress[member]
        self.outgoing.clear()

    def finish(self, auto_leave: bool) -> Outcome:
        """Return the edited configuration, checked."""
        config = TrackerConfig(
            JointConfig(MajorityConfig(self.incoming), MajorityConfig(self.outgoing)),
            MajorityConfig(self.learners),
            MajorityConfig(self.learners_next),
            auto_leave,
        )
        progress = dict(sorted(self.progress.items()))
        _check(config, progress)
        return config, progress

    def _make_voter(self, member: int) -> None:
        known = self.progress.get(member)
        if known is None:
            self.progress[member] = self._fresh(is_learner=False)
        else:
            known.is_learner = False
            self.learners.discard(member)
            self.learners_next.discard(member)
        self.incoming.add(member)

    def _make_learner(self, member: int) -> None:
        known = self.progress.get(member)
        if known is None:
            self.progress[member] = self._fresh(is_learner=True)
            self.learners.add(member)
            return
        if known.is_learner:
            return
        self._remove(member)
        self.progress[member] = known
        if member in self.outgoing:
            self.learners_next.add(member)
        else:
            known.is_learner = True
            self.learners.add(member)

    def _remove(self, member: int) -> None:
        self.incoming.discard(member)
        self.learners.discard(member)
        self.learners_next.discard(member)
        if member not in self.outgoing:
            self.progress.pop(member, None)

    def _fresh(self, is_learner: bool) -> Progress:
        """A new member is probed at the end of the log, and counts as active until the next
        check of the quorum: it had no time yet to be heard of."""
        return Progress(
            Inflights(self._max_inflight, self._max_inflight_bytes),
            next=max(self._last_index, 1),
            recent_active=True,
            is_learner=is_learner,
        )


def _check(config: TrackerConfig, progress: dict[int, Progress]) -> None:
    """Refuse a configuration that breaks the invariants of `TrackerConfig`."""
    voters, learners, staged, auto_leave = config
    for member in (*voters.ids(), *learners, *staged):
        if member not in progress:
            raise ConfChangeError(f"no progress for {member}")
    for member in staged:
        if member not in voters.outgoing:
            raise ConfChangeError(f"{member} is in LearnersNext, but not Voters[1]")
        if progress[member].is_learner:
            raise ConfChangeError(f"{member} is in LearnersNext, but is already marked as learner")
    for member in learners:
        for half, ids in enumerate(voters):
            if member in ids:
                raise ConfChangeError(f"{member} is in Learners and Voters[{half}]")
        if not progress[member].is_learner:
            raise ConfChangeError(f"{member} is in Learners, but is not marked as learner")
    if not voters.outgoing and auto_leave:
        raise ConfChangeError("AutoLeave must be false when not joint")
