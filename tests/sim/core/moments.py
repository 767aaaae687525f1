"""Delicate moments, and how a fault seizes them, now or a little later.

The cluster says that a moment has come ("elected", "write answered"…); the plan says how often
one is seized. What then happens is what the rules of Raft exist for: whoever was just elected is
cut off, whoever just voted loses its memory, who has just joined is alone with the leader.
"""

from __future__ import annotations

from tests.sim.core.blows import Blows
from tests.sim.core.cluster import Cluster
from tests.sim.core.member import Member

SHARES = {
    "asked for a vote": 0.25,
    "elected": 0.5,
    "write answered": 0.2,
    "learner level": 0.3,
}
"""Moments that come often: how much more seldom than the plan says they are seized."""

DELAYS = {
    "elected": (0, 0, 10, 30, 60),
    "asked for a vote": (0, 1, 2, 3, 4, 5),
    "snapshot taken": (0, 30, 100, 200),
}
"""Moments that are seized a little later: so many steps."""


class Moments:
    """Seizes the moments of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["faults"]
        self._blows = Blows(cluster)
        self._due: list[tuple[int, str, Member]] = []  # with: steps until it strikes

    @property
    def waiting(self) -> bool:
        """Some strike later: `seize` must be called at every step."""
        return bool(self._due)

    def seize(self) -> None:
        """Something delicate may just have happened: strike there, at times."""
        cluster, rng = self._cluster, self._rng
        for moment, member in cluster.moments:
            if moment not in cluster.plan.moments:
                continue
            if rng.random() < cluster.plan.seize * SHARES.get(moment, 1.0):
                self._due.append((rng.choice(DELAYS.get(moment, (0,))), moment, member))
        cluster.moments.clear()
        due, self._due = self._due, []
        for delay, moment, member in due:
            if delay:
                self._due.append((delay - 1, moment, member))
            else:
                cluster.count(f"seized: {moment}")
                self._strike(moment, member)

    def _strike(self, moment: str, member: Member) -> None:
        blows = self._blows
        if moment in ("group changed", "learner level"):
            self._part_voters(member)
            self._due.append((self._rng.choice((100, 200, 400)), "group parted", member))
        elif moment == "group parted":
            blows.upheaval(self._old(member))
        elif moment == "old entry acknowledged":
            blows.isolate(member.id)
        elif moment == "asked for a vote":
            self._forgetful(member)
        elif moment == "write answered":
            self._power_loss(member)
        elif moment == "snapshot taken":
            blows.factions(member.id)  # in a group that it once knew
        elif self._rng.random() < 0.6:
            blows.isolate(member.id)
        else:
            blows.crash(member)

    def _part_voters(self, leader: Member) -> None:
        """The leader with whoever is new or only learns here, the (old) voters there."""
        self._blows.cut(self._old(leader))

    def _old(self, leader: Member) -> list[int]:
        conf = leader.conf
        return [one for one in conf.voters_outgoing or conf.voters if one != leader.id]

    def _forgetful(self, voter: Member) -> None:
        """Who was asked for a vote forgets what is not synced; at times it stands itself."""
        self._blows.bounce(voter)
        if self._rng.random() < 0.5:
            self._blows.stand([voter])

    def _power_loss(self, one: Member) -> None:
        """Everybody else loses what is not synced, and is back at once; this one is cut off."""
        others = [member for member in self._cluster.running() if member is not one]
        for member in others:
            if member.unsynced:
                self._blows.bounce(member)
        self._blows.isolate(one.id)
        self._blows.stand(others)
