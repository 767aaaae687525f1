"""What goes wrong in the core tier: one function a fault, and `strike`, which draws one.

Members are crashed, started again, paused and cut off in every shape; the log is compacted under
them, the configuration changed, leadership handed over, campaigns started at odd moments.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.errors import CompactedError, ProposalDroppedError, RaftPanic
from holdfast.control.raft.messages import (
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
)
from holdfast.control.raft.node import RawNode
from tests.sim.core.cluster import Cluster
from tests.sim.core.member import Member

ADD, REMOVE, LEARNER = (
    ConfChangeType.ADD_NODE,
    ConfChangeType.REMOVE_NODE,
    ConfChangeType.ADD_LEARNER_NODE,
)


class Faults:
    """The faults of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.streams["faults"]
        deeds: dict[str, Callable[[], None]] = {
            "crash": self._crash,
            "partition": self._partition,
            "pause": self._pause,
            "compact": self._compact,
            "membership": self._membership,
            "transfer": self._transfer,
            "campaign": self._campaign,
            "forget": self._forget,
            "unreachable": self._unreachable,
        }
        self._due: list[tuple[int, str, Member]] = []  # with: steps until it strikes
        self._deeds = [(name, deeds[name]) for name in cluster.plan.faults]

    def strike(self) -> None:
        """One fault."""
        name, deed = self._rng.choice(self._deeds)
        self._cluster.trace.note(name)
        deed()

    def seize(self) -> None:
        """Something delicate has just happened: strike there, at times, now or a little later."""
        cluster, rng = self._cluster, self._rng
        for moment, member in cluster.moments:
            if rng.random() < cluster.plan.seize:
                delay = rng.choice((0, 0, 10, 30, 60)) if moment == "elected" else 0
                delay = rng.randrange(6) if moment == "asked for a vote" else delay
                self._due.append((delay, moment, member))
        cluster.moments.clear()
        due, self._due = self._due, []
        for delay, moment, member in due:
            if delay:
                self._due.append((delay - 1, moment, member))
            else:
                self._seize(moment, member)

    def _seize(self, moment: str, member: Member) -> None:
        self._cluster.count(f"seized: {moment}")
        if moment == "group changed":
            self._part_voters(member)
        elif moment == "old entry acknowledged":
            self._isolate(member.id)
        elif moment == "asked for a vote":
            member.crash()
            self._cluster.count("crash")
            self.start(member)
        elif self._rng.random() < 0.6:
            self._isolate(member.id)
        else:
            member.crash()
            self._cluster.count("crash")

    def _part_voters(self, leader: Member) -> None:
        """The leader with whoever is new or only learns here, the (old) voters there."""
        conf = leader.conf
        old = {*(conf.voters_outgoing or conf.voters)} - {leader.id}
        ids = [*self._cluster.members]
        self._cluster.block([(a, b) for a in ids for b in ids if (a in old) != (b in old)])

    def _isolate(self, one: int) -> None:
        ids = [*self._cluster.members]
        self._cluster.block([(a, b) for a in ids for b in ids if a != b and one in (a, b)])

    def start(self, member: Member) -> None:
        """Start a member that is down; one that cannot start stays down."""
        try:
            member.start()
            self._cluster.count("restart")
        except RaftPanic as error:
            member.node = None
            self._cluster.panicked(member, error)

    def _any(self) -> Member | None:
        running = self._cluster.running()
        return self._rng.choice(running) if running else None

    def recover(self) -> None:
        """Something that is broken works again."""
        cluster, rng = self._cluster, self._rng
        down = [member for member in cluster.members.values() if member.node is None]
        if down and (not cluster.blocked or rng.random() < 0.7):
            self.start(rng.choice(down))
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
                member.crash()
                cluster.count("crash")
                if rng.random() < 0.5:
                    self.start(member)

    def _partition(self) -> None:
        """Any set of one-way links: an island, two halves, one deaf or mute member, a chain."""
        cluster, rng = self._cluster, self._rng
        ids = [*cluster.members]
        every = [(a, b) for a in ids for b in ids if a != b]
        leaders = [member.id for member in cluster.leaders()]
        one = rng.choice(leaders if leaders and rng.random() < 0.5 else ids)
        shape = rng.randrange(5)
        if shape == 0:
            links = [link for link in every if one in link]
        elif shape == 1:
            side = rng.sample(ids, len(ids) // 2)
            links = [(a, b) for a, b in every if (a in side) != (b in side)]
        elif shape == 2:
            links = [link for link in every if link[rng.randrange(2)] == one]
            cluster.count("one-way partition")
        elif shape == 3:
            links = [(a, b) for a, b in every if abs(a - b) > 1]
        else:
            links = [link for link in every if rng.random() < 0.4]
        cluster.block(links)
        cluster.count("partition")

    def _pause(self) -> None:
        leaders = self._cluster.leaders()
        member = leaders[0] if leaders and self._rng.random() < 0.5 else self._any()
        if member:
            member.paused = self._rng.choice((100, 500, 1_500))
            self._cluster.count("pause")

    def _compact(self) -> None:
        """Drop log entries that are in the image and that the core knows to be applied, all but
        the newest `log_kept`."""
        member = self._any()
        if member is None or member.node is None:
            return
        known = min(member.disk.image.applied, member.node.status().applied)
        try:
            member.disk.compact(known - self._cluster.plan.log_kept)
            self._cluster.count("log compacted")
        except CompactedError:
            pass  # nothing to drop

    def _transfer(self) -> None:
        leaders = self._cluster.leaders()
        if leaders:
            target = self._rng.choice([*self._cluster.members])
            self._rng.choice(leaders).ask(lambda node: node.transfer_leader(target))
            self._cluster.transferee = target
            self._cluster.count("transfer")

    def _campaign(self) -> None:
        member = self._any()
        if member:
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

    def _membership(self) -> None:
        """A change that the leader's own configuration allows."""
        leaders = self._cluster.leaders()
        if not leaders:
            return
        leader = self._rng.choice(leaders)
        change = self._draw(leader)
        try:
            leader.ask(lambda node: node.propose_conf_change(change))
            self._cluster.count("change proposed")
        except ProposalDroppedError:
            self._cluster.count("proposal dropped")

    def _draw(self, leader: Member) -> ConfChange | ConfChangeV2:
        conf, rng = leader.conf, self._rng
        if conf.voters_outgoing:
            return ConfChangeV2()
        if rng.random() < 0.4 and len(conf.voters) <= 3:
            return self._double(len(conf.voters))
        singles: list[ConfChangeSingle] = []
        voters = [*conf.voters]
        # A group whose old majority leaves at once may never learn that it did: the rest needs
        # votes of those who are gone. So a majority of the old voters always stays.
        stay = len(voters) // 2 + 1
        for _ in range(rng.choice((1, 1, 2, 3, 4))):
            kind = rng.randrange(4)
            if (
                kind <= 1
                and self._cluster.room
                and len(conf.voters) + len(conf.learners) + len(singles) < 7
            ):
                ident = self._cluster.join()
                singles.append(ConfChangeSingle(LEARNER if kind else ADD, ident))
            elif kind == 2 and conf.learners:
                singles.append(ConfChangeSingle(ADD, rng.choice(conf.learners)))
            elif len(voters) > stay:
                gone = voters.pop(rng.randrange(len(voters)))
                type_ = LEARNER if rng.random() < 0.3 else REMOVE
                singles.append(ConfChangeSingle(type_, gone))
        if not singles:
            return ConfChangeV2()
        if len(singles) == 1 and rng.random() < 0.5:
            return ConfChange(*singles[0])
        transition = rng.choice([*ConfChangeTransition])
        return ConfChangeV2(transition, tuple(singles))

    def _double(self, voters: int) -> ConfChangeV2:
        """As many new voters as there are: the new half can then decide without the old."""
        fresh = [self._cluster.join() for _ in range(voters) if self._cluster.room]
        singles = tuple(ConfChangeSingle(ADD, ident) for ident in fresh)
        return ConfChangeV2(self._rng.choice([*ConfChangeTransition]), singles)
