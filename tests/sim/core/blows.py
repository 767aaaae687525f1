"""What faults and delicate moments have in common: single blows against members and links.

A blow does what it says at once; when it strikes is decided by `faults` and `moments`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import ConfState
from holdfast.control.raft.node import RawNode
from tests.sim.core import cuts
from tests.sim.core.cluster import Cluster
from tests.sim.core.member import Member

FORMER = 6
"""How many configurations a group that falls apart remembers."""


class Blows:
    """The blows of one run; all chances come from the stream of faults."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["faults"]

    def start(self, member: Member) -> None:
        """Start a member that is down; one that cannot start stays down."""
        try:
            member.start()
            self._cluster.count("restart")
        except RaftPanic as error:
            member.node = None
            self._cluster.panicked(member, error)

    def crash(self, member: Member) -> None:
        """Its process ends, and stays so."""
        member.crash()
        self._cluster.count("crash")

    def bounce(self, member: Member) -> None:
        """Its process ends and is back at once."""
        self.crash(member)
        self.start(member)

    def isolate(self, one: int) -> None:
        """This one hears nobody, nor is heard."""
        self._cluster.block(cuts.alone([*self._cluster.members], one))

    def mute(self, side: Collection[int]) -> None:
        """These hear everybody, and nobody else hears them."""
        ids = [*self._cluster.members]
        self._cluster.block([(a, b) for a in ids for b in ids if a in side and b not in side])

    def cut(self, side: Collection[int]) -> None:
        """These here, everybody else there."""
        self._cluster.block(cuts.apart([*self._cluster.members], side))

    def upheaval(self, side: Collection[int], one: int = 0) -> None:
        """Leaders start anew, and nobody follows one any more; somebody of the side (this one, if
        it runs) and somebody else stand for election at once."""
        cluster = self._cluster
        cluster.count("upheaval")
        for member in cluster.leaders():
            self.bounce(member)
        running = cluster.running()
        for member in running:
            member.ask(RawNode.forget_leader)
        mine = [member for member in running if member.id in side]
        self.stand([member for member in mine if member.id == one] or mine)
        self.stand([member for member in running if member.id not in side])

    def stand(self, members: Sequence[Member]) -> None:
        """One of them stands for election, of those who may: who has most of the log, or any."""
        able = [member for member in members if member.promotable]
        if able:
            longest = max(able, key=Member.log_end)
            one = longest if self._rng.random() < 0.7 else self._rng.choice(able)
            one.ask(RawNode.campaign)

    def factions(self, one: int = 0) -> None:
        """A bare majority of a configuration, mostly a former one, against everybody else, with
        upheaval; rather where either side is a majority, then and now.

        Args:
            one: a member that shall be of the former majority, if it was one of its voters.
        """
        cluster, rng = self._cluster, self._rng
        ids, now = [*cluster.members], cluster.ledger.conf
        sides = [self._faction(conf, one) for conf in cluster.ledger.confs[-FORMER:]]
        rivals = [side for side in sides if cuts.decides(now, [i for i in ids if i not in side])]
        side = rng.choice(rivals if rivals and rng.random() < 0.8 else sides)
        self.cut(side)
        cluster.count("partition along a configuration")
        for member in cluster.running():
            if member.id in side and rng.random() < 0.4:
                self.bounce(member)
        if rng.random() < 0.7:
            self.upheaval(side, one)

    def _faction(self, conf: ConfState, one: int) -> list[int]:
        """Who left the group since goes first, then whose log is short, or anybody."""
        members, now, rng = self._cluster.members, self._cluster.ledger.conf, self._rng
        short = rng.random() < 0.5

        def order(voter: int) -> tuple[float, ...]:
            log = members[voter].log_end() if short else (0, 0)
            return voter != one, voter in now.voters, *log, rng.random()

        return cuts.faction(conf.voters, order)

    def depose(self, leader: Member, steps: int) -> None:
        """A leader, perhaps with a few followers, is no longer heard, and their disks stand
        still; what it goes on to propose is in nobody's log when the others elect another."""
        cluster, rng = self._cluster, self._rng
        running = cluster.running()
        rest = [member for member in running if member is not leader]
        few = (len(running) - 1) // 2  # with the leader still a minority
        side = [leader, *rng.sample(rest, rng.randrange(max(1, few)))]
        for member in side:
            member.stall_disk(steps)
        ids = [member.id for member in side]
        (self.cut if rng.random() < 0.3 else self.mute)(ids)
        cluster.count("leader with a stalled disk cut off")
        for member in rest:
            member.ask(RawNode.forget_leader)
        self.stand([member for member in rest if member.id not in ids])

    def lag(self, follower: Member, steps: int) -> None:
        """A follower's state machine stands still, and it is cut off for a while."""
        follower.stall_machine(steps)
        self.isolate(follower.id)
        self._cluster.count("follower that lags cut off")
