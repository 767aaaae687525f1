"""One seed of the core tier: a safety phase of random steps, then a liveness phase without faults.

A step is one of: a message arrives, a member does one unit of work, a clock ticks, a client asks,
a fault strikes. In the liveness phase all links work, everybody who belongs to the group runs,
and within ten election timeouts there must be one leader that gets a write through to all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from holdfast.control.raft.errors import ProposalDroppedError
from holdfast.control.raft.messages import ConfChangeV2, ConfState
from holdfast.control.raft.node import RawNode
from holdfast.control.store import records
from holdfast.control.store.commands import ANY, Commit, Key, Write
from tests.sim.core.blows import Blows
from tests.sim.core.clients import Clients
from tests.sim.core.cluster import Cluster
from tests.sim.core.faults import Faults
from tests.sim.core.member import Member
from tests.sim.core.moments import Moments
from tests.sim.core.plan import draw
from tests.sim.report import Report, told
from tests.sim.streams import Streams
from tests.sim.violations import Checker

TIMEOUTS = 10
"""Election timeouts within which all must be well again."""
TIMEOUTS_DISTURBED = 40
"""The same without pre-vote: whoever cannot win starts an election all the same, and at random
the one who can has to wait."""
UNITS_A_ROUND_MAX = 3_000


def run(seed: int, steps: int | None = None) -> Report:
    """Run one seed of the core tier."""
    streams = Streams(seed)
    plan = draw(streams["plan"], steps) if steps else draw(streams["plan"])
    cluster = Cluster(plan, streams)
    Safety(cluster).run()
    if not cluster.ledger.violations:
        Liveness(cluster).run()
    ledger = cluster.ledger
    if cluster.panics and not ledger.violations:
        ledger.accuse(Checker.LIVENESS, cluster.panics[0])
    found = told(ledger.violations)
    return Report(seed, cluster.trace.digest, found, dict(cluster.counts), "", cluster.trace.lines)


def ids(conf: ConfState) -> set[int]:
    """Everybody a configuration names."""
    return {*conf.voters, *conf.learners, *conf.voters_outgoing, *conf.learners_next}


class Safety:
    """The phase with faults."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._faults = Faults(cluster)
        self._moments = Moments(cluster)
        self._clients = Clients(cluster)
        self._rng = cluster.streams["schedule"]

    def run(self) -> None:
        """All steps, or until a promise is broken."""
        violations = self._cluster.ledger.violations
        for _ in range(self._cluster.plan.steps):
            self._step()
            if violations:
                return

    def _step(self) -> None:
        cluster, rng, plan = self._cluster, self._rng, self._cluster.plan
        cluster.pass_step()
        if cluster.moments or self._moments.waiting:
            self._moments.seize()
        if rng.random() < plan.recover:
            self._faults.recover()
        chance = rng.random()
        if chance < plan.fault:
            self._faults.strike()
        elif chance < plan.fault + plan.client:
            self._clients.act()
        elif rng.random() < plan.tick or not self._go_on():
            self._tick()

    def _go_on(self) -> bool:
        """A message arrives or a member works. False: nothing is under way."""
        cluster, rng = self._cluster, self._rng
        if cluster.flying and rng.random() < 0.5:
            cluster.deliver()
            return True
        running = cluster.running()
        start, count = rng.below(len(running) or 1), len(running)
        for at in range(start - count, start):  # from `start` on, and around
            member = running[at]
            if member.busy():
                cluster.trace.note(f"{member.id} works")
                member.work()
                return True
        if cluster.flying:
            cluster.deliver()
            return True
        return False

    def _tick(self) -> None:
        running = self._cluster.running()
        if running:
            member = self._rng.choice(running)
            self._cluster.trace.note(f"{member.id} ticks")
            member.ask(RawNode.tick)


class Liveness:
    """The phase without faults."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._blows = Blows(cluster)
        self._written = 0

    def run(self) -> None:
        """Heal, then tick everybody until all is well or the time is over."""
        cluster = self._cluster
        self._heal()
        wrong = "no round was run"
        timeouts = TIMEOUTS if cluster.plan.pre_vote else TIMEOUTS_DISTURBED
        for _ in range(timeouts * cluster.plan.election_tick):
            self._round()
            if cluster.ledger.violations:
                return
            wrong = self._wrong()
            if not wrong:
                break
        ledger = cluster.ledger
        if ledger.end < ledger.acknowledged:
            ledger.accuse(Checker.ACKNOWLEDGED, f"index {ledger.acknowledged} came never back")
        elif wrong:
            ledger.accuse(
                Checker.LIVENESS, f"{timeouts} election timeouts after the faults {wrong}"
            )

    def _heal(self) -> None:
        cluster = self._cluster
        for member in cluster.members.values():
            member.hurry()
        cluster.plan = replace(cluster.plan, loss=0.0, duplicate=0.0, window=1)
        cluster.block(())
        for member in cluster.members.values():
            if member.node is None:
                self._blows.start(member)

    def _round(self) -> None:
        """Everybody who belongs to the group ticks once; after each tick all that can happen
        happens: the network is faster than the clocks."""
        cluster = self._cluster
        belonging = self._belonging()
        for member in cluster.members.values():
            if member.id not in belonging:
                member.node = None  # removed: whoever removed it has ended its process
            member.ask(RawNode.tick)
            self._settle()

    def _settle(self) -> None:
        cluster, left = self._cluster, UNITS_A_ROUND_MAX
        busy = True
        while busy and left:
            busy = False
            for member in cluster.members.values():
                while left and member.busy():
                    busy, left = True, left - 1
                    member.work()
            while left and cluster.flying:
                busy, left = True, left - 1
                cluster.deliver()

    def _belonging(self) -> list[int]:
        """Everybody but those that were in the group once and are no longer."""
        ledger = self._cluster.ledger
        now = ids(ledger.conf)
        before = {one for conf in ledger.confs for one in ids(conf)}
        return [ident for ident in self._cluster.members if ident in now or ident not in before]

    def _wrong(self) -> str:
        """What is not well yet; asks for what is missing. "" = all is well."""
        cluster, ledger = self._cluster, self._cluster.ledger
        leaders = [member for member in cluster.leaders() if member.id in self._belonging()]
        if len(leaders) != 1:
            return f"{len(leaders)} members lead"
        leader = leaders[0]
        if leader.conf.voters_outgoing:
            # One that is left by itself is left when an entry is applied: if that was refused
            # before (leadership was being handed over), the next entry tries again.
            self._write(leader)
            if not leader.conf.auto_leave:
                self._propose(leader, lambda node: node.propose_conf_change(ConfChangeV2()))
            return "the configuration is joint"
        conf = ledger.conf
        behind = [i for i in (*conf.voters, *conf.learners) if not self._level(i)]
        if behind:
            return f"members {behind} are behind index {ledger.end}"
        if not self._written:
            self._write(leader)
            return "nothing was written"
        if ledger.end <= self._written:
            return "a write is not committed"
        return ""

    def _level(self, ident: int) -> bool:
        member = self._cluster.members[ident]
        return member.node is not None and member.applied == self._cluster.ledger.end

    def _write(self, leader: Member) -> None:
        write = Write(Key("things", "", "last"), b"last", ANY)
        before = self._cluster.ledger.end
        data = records.encode([Commit(b"", [write])])
        if self._propose(leader, lambda node: node.propose(data)):
            self._written = before

    @staticmethod
    def _propose(leader: Member, deed: Callable[[RawNode], None]) -> bool:
        try:
            leader.ask(deed)
        except ProposalDroppedError:
            return False  # a transfer is under way: the next round asks again
        return True
