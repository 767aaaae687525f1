"""Changes of the configuration that the core tier proposes: single ones, several, half a group.

What is drawn fits the configuration given; whether the leader takes it is its own matter.
"""

from __future__ import annotations

from holdfast.control.raft.messages import (
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
    ConfState,
)
from tests.sim.core.cluster import Cluster

ADD, REMOVE, LEARNER = (
    ConfChangeType.ADD_NODE,
    ConfChangeType.REMOVE_NODE,
    ConfChangeType.ADD_LEARNER_NODE,
)
NAMED_MAX = 7


class Changes:
    """Draws changes; new members join the cluster when one names them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["faults"]

    def draw(self, conf: ConfState) -> ConfChange | ConfChangeV2:
        """A change that this configuration allows; a joint one is left."""
        rng = self._rng
        if conf.voters_outgoing:
            return ConfChangeV2()
        if rng.random() < 0.4 and len(conf.voters) <= 3:
            return self._double(len(conf.voters), LEARNER if rng.random() < 0.4 else ADD)
        singles = self._several(conf, rng.choice((1, 1, 2, 3, 4)))
        if not singles:
            return ConfChangeV2()
        if len(singles) == 1 and rng.random() < 0.5:
            return ConfChange(*singles[0])
        return ConfChangeV2(rng.choice([*ConfChangeTransition]), tuple(singles))

    def _several(self, conf: ConfState, count: int) -> list[ConfChangeSingle]:
        """So many changes, at most: members come, learners are promoted, voters go."""
        rng = self._rng
        singles: list[ConfChangeSingle] = []
        voters = [*conf.voters]
        # A group whose old majority leaves at once may never learn that it did: the rest needs
        # votes of those who are gone. So a majority of the old voters always stays.
        stay = len(voters) // 2 + 1
        for _ in range(count):
            kind = rng.randrange(4)
            if kind <= 1 and self._room(conf, len(singles)):
                ident = self._cluster.join()
                singles.append(ConfChangeSingle(LEARNER if kind else ADD, ident))
            elif kind == 2 and conf.learners:
                singles.append(ConfChangeSingle(ADD, rng.choice(conf.learners)))
            elif len(voters) > stay:
                gone = voters.pop(rng.randrange(len(voters)))
                type_ = LEARNER if rng.random() < 0.3 else REMOVE
                singles.append(ConfChangeSingle(type_, gone))
        return singles

    def _room(self, conf: ConfState, more: int) -> bool:
        named = len(conf.voters) + len(conf.learners) + more
        return self._cluster.room and named < NAMED_MAX

    def _double(self, voters: int, kind: ConfChangeType) -> ConfChangeV2:
        """One new member more than there are voters: new voters can then decide with few of the
        old, and new learners outnumber the voters."""
        fresh = [self._cluster.join() for _ in range(voters + 1) if self._cluster.room]
        singles = tuple(ConfChangeSingle(kind, ident) for ident in fresh)
        return ConfChangeV2(self._rng.choice([*ConfChangeTransition]), singles)
