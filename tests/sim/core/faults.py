"""What goes wrong in the core tier: one function a fault, and `strike`, which draws one.

Members are crashed, started again, paused and cut off in every shape; the log is compacted under
them, the configuration changed, leadership handed over, campaigns started at odd moments.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.node import RawNode
from holdfast.control.raft.ready import Role
from tests.sim.core import cuts
from tests.sim.core.blows import Blows
from tests.sim.core.changes import Changes
from tests.sim.core.cluster import Cluster
from tests.sim.core.member import Member

STALLED_STEPS = (30, 150, 600)


class Faults:
    """The faults of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["faults"]
        self._blows = Blows(cluster)
        self._changes = Changes(cluster)
        deeds: dict[str, Callable[[], None]] = {
            "crash": self._crash,
            "partition": self._partition,
            "factions": self._blows.factions,
            "pause": self._pause,
            "stall": self._stall,
            "depose": self._depose,
            "lag": self._lag,
            "compact": self._compact,
            "membership": self._membership,
            "exile": self._exile,
            "transfer": self._transfer,
            "campaign": self._campaign,
            "forget": self._forget,
            "unreachable": self._unreachable,
        }
        self._deeds = [(name, deeds[name]) for name in cluster.plan.faults]

    def strike(self) -> None:
        """One fault."""
        name, deed = self._rng.choice(self._deeds)
        self._cluster.trace.note(name)
        deed()

    def _any(self) -> Member | None:
        running = self._cluster.running()
        return self._rng.choice(running) if running else None

    def recover(self) -> None:
        """Something that is broken works again."""
        cluster, rng = self._cluster, self._rng
        down = [member for member in cluster.members.values() if member.node is None]
        if down and (not cluster.blocked or rng.random() < 0.7):
            self._blows.start(rng.choice(down))
        elif cluster.blocked:
            cluster.block(())

    def _crash(self) -> None:
        """One member or all, rather those whose disk has work; half are back at once."""
        cluster, rng = self._cluster, self._rng
        running = cluster.running()
        unsynced = [member for member in running if member.unsynced]
        victims = [rng.choice(unsynced if unsynced and rng.random() < 0.7 else running or [None])]
        if rng.random() < 0.15:
            victims = [*running]
            cluster.count("all members crashed")
        for member in victims:
            if member is not None:
                (self._blows.bounce if rng.random() < 0.5 else self._blows.crash)(member)

    def _partition(self) -> None:
        """Any set of one-way links: an island, two halves, one deaf or mute member, a chain."""
        cluster, rng = self._cluster, self._rng
        ids = [*cluster.members]
        leaders = [member.id for member in cluster.leaders()]
        one = rng.choice(leaders if leaders and rng.random() < 0.5 else ids)
        shape = rng.randrange(5)
        if shape == 0:
            links = cuts.alone(ids, one)
        elif shape == 1:
            links = cuts.apart(ids, rng.sample(ids, len(ids) // 2))
        elif shape == 2:
            links = cuts.half_deaf(ids, one, rng)
            cluster.count("one-way partition")
        elif shape == 3:
            links = cuts.chain(ids)
        else:
            links = cuts.torn(ids, rng)
        cluster.block(links)
        cluster.count("partition")

    def _depose(self) -> None:
        leaders = self._cluster.leaders()
        if leaders:
            self._blows.depose(self._rng.choice(leaders), self._rng.choice(STALLED_STEPS))

    def _lag(self) -> None:
        """Rather a follower that has something to apply."""
        followers = [one for one in self._cluster.running() if one.role != Role.LEADER]
        waiting = [one for one in followers if one.applies]
        if followers:
            self._blows.lag(self._rng.choice(waiting or followers), 2 * max(STALLED_STEPS))

    def _stall(self) -> None:
        """A disk, or a state machine, does nothing for a while; rather the leader's."""
        leaders, rng = self._cluster.leaders(), self._rng
        member = rng.choice(leaders) if leaders and rng.random() < 0.4 else self._any()
        if member:
            rng.choice((member.stall_disk, member.stall_machine))(rng.choice(STALLED_STEPS))
            self._cluster.count("stall")

    def _pause(self) -> None:
        leaders = self._cluster.leaders()
        member = leaders[0] if leaders and self._rng.random() < 0.5 else self._any()
        if member:
            member.pause(self._rng.choice((100, 500, 1_500)))
            self._cluster.count("pause")

    def _compact(self) -> None:
        """Rather the leader's log: then who is behind needs a snapshot."""
        leaders, rng = self._cluster.leaders(), self._rng
        member = rng.choice(leaders) if leaders and rng.random() < 0.5 else self._any()
        if member:
            member.compact()

    def _transfer(self) -> None:
        leaders = self._cluster.leaders()
        if leaders:
            target = self._rng.choice([*self._cluster.members])
            self._rng.choice(leaders).ask(lambda node: node.transfer_leader(target))
            self._cluster.transferee = target
            self._cluster.count("transfer")

    def _campaign(self) -> None:
        """One member stands for election, or several at once."""
        running = self._cluster.running()
        for member in self._rng.sample(running, min(len(running), self._rng.choice((1, 1, 2, 3)))):
            member.ask(RawNode.campaign)

    def _forget(self) -> None:
        member = self._any()
        if member:
            member.ask(RawNode.forget_leader)
            self._cluster.count("leader forgotten")

    def _unreachable(self) -> None:
        member = self._any()
        if member:
            peer = self._rng.choice([*self._cluster.members])
            member.ask(lambda node: node.report_unreachable(peer))

    def _exile(self) -> None:
        """The group changes while one of its voters is away."""
        leaders, rng = self._cluster.leaders(), self._rng
        if leaders:
            leader = rng.choice(leaders)
            others = [voter for voter in leader.conf.voters if voter != leader.id]
            if others:
                self._blows.isolate(rng.choice(others))
                self._change(leader)

    def _membership(self) -> None:
        """A change that the leader's own configuration allows."""
        leaders = self._cluster.leaders()
        if leaders:
            self._change(self._rng.choice(leaders))

    def _change(self, leader: Member) -> None:
        if leader.changing and self._rng.random() < 0.8:
            return  # it would be refused
        change = self._changes.draw(leader.conf)
        try:
            leader.ask(lambda node: node.propose_conf_change(change))
            self._cluster.count("change proposed")
        except ProposalDroppedError:
            self._cluster.count("proposal dropped")
