"""What goes wrong in the whole tier, and when it ends: each fault is one function.

`run` strikes again and again at random moments; now and then it is the leader's turn, so that
every run has changes of leadership. `heal` ends them all.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.whole.member import Member
from tests.sim.whole.network import Weather
from tests.sim.whole.operator import Operator
from tests.sim.whole.stage import Stage

LEADER_EVERY_S = 7.0
CLIENTS = tuple(range(-9, 0))


class Faults:
    """The faults of one run."""

    def __init__(self, stage: Stage, members: dict[int, Member]) -> None:
        self._stage = stage
        self._members = members
        self._rng = stage.world.streams["faults"]
        self._over = False
        self._operator = Operator(stage, members)
        self._deeds: dict[str, Callable[[], None]] = {
            "crash": lambda: self._crash(self._any()),
            "crash leader": lambda: self._crash(self._leader()),
            "crash all": self._crash_all,
            "pause": lambda: self._pause(self._any()),
            "pause leader": lambda: self._pause(self._leader()),
            "isolate": lambda: self._isolate(self._any()),
            "isolate leader": lambda: self._isolate(self._leader()),
            "split": self._split,
            "one-way": self._one_way,
            "chain": self._chain,
            "weather": self._weather,
            "slow disk": self._slow_disk,
            "full disk": self._full_disk,
            "transfer": self._transfer,
            "membership": self._operator.change,
        }

    def begin(self) -> None:
        """Strike from now on."""
        self._stage.world.after(1.5, self._next)
        self._stage.world.after(self._rng.uniform(2.0, LEADER_EVERY_S), self._disturb)

    def heal(self) -> None:
        """No more faults: everybody runs, every link and every disk is well."""
        self._over = True
        self._stage.network.cut(())
        self._stage.network.weather = Weather()
        for member in self._members.values():
            member.disk.wear.full = False
            member.disk.wear.sync_s = self._stage.plan.sync_s
            member.start()

    def _next(self) -> None:
        if self._over:
            return
        self._strike(self._rng.choice(self._stage.plan.faults))
        self._stage.world.after(self._rng.expovariate(1 / self._stage.plan.fault_s), self._next)

    def _disturb(self) -> None:
        """The leader's turn."""
        if self._over:
            return
        self._strike(self._rng.choice(self._stage.plan.disturbances))
        self._stage.world.after(self._rng.uniform(0.7, 1.3) * LEADER_EVERY_S, self._disturb)

    def _strike(self, name: str) -> None:
        self._stage.world.note(f"fault: {name}")
        self._stage.counts["fault"] += 1
        self._stage.counts[f"fault: {name}"] += 1
        self._deeds[name]()

    def _lasting(self, least_s: float, most_s: float, end: Callable[[], None]) -> None:
        """Have a fault end by itself."""

        def over() -> None:
            if not self._over:
                end()

        self._stage.world.after(self._rng.uniform(least_s, most_s), over)

    def _any(self) -> Member:
        return self._rng.choice([one for one in self._members.values() if not one.removed])

    def _leader(self) -> Member:
        leaders = [member for member in self._members.values() if member.leads]
        return self._rng.choice(leaders) if leaders else self._any()

    def _crash(self, member: Member, longest_s: float = 3.0) -> None:
        member.crash()

        def again() -> None:
            self._stage.counts["restart"] += 1
            member.start()

        self._lasting(0.05, longest_s, again)

    def _crash_all(self) -> None:
        for member in self._members.values():
            self._crash(member, 1.0)

    def _pause(self, member: Member) -> None:
        member.pause(self._rng.choice((0.2, 0.8, 2.0)) * (0.5 + self._rng.random()))

    def _cut(self, links: list[tuple[int, int]]) -> None:
        """Cut links; they work again after a while, unless others were cut since."""
        self._stage.network.cut(links)
        cut_at = self._cut_at = self._stage.world.now

        def mend() -> None:
            if self._cut_at == cut_at:
                self._stage.network.cut(())

        self._lasting(0.3, 3.0, mend)

    def _links(self) -> list[tuple[int, int]]:
        ids = [*self._members]
        return [(a, b) for a in ids for b in ids if a != b]

    def _isolate(self, member: Member) -> None:
        """No member reaches it, nor it them; clients may, or not."""
        links = [link for link in self._links() if member.id in link]
        if self._rng.random() < 0.3:
            links += [(member.id, one) for one in CLIENTS]
            links += [(one, member.id) for one in CLIENTS]
        self._cut(links)

    def _split(self) -> None:
        ids = [*self._members]
        side = self._rng.sample(ids, len(ids) // 2)
        self._cut([(a, b) for a, b in self._links() if (a in side) != (b in side)])

    def _one_way(self) -> None:
        """One is deaf, or mute, or half of the links work one way only."""
        one, shape = self._any().id, self._rng.randrange(3)
        if shape == 2:
            self._cut([link for link in self._links() if self._rng.random() < 0.5])
        else:
            self._cut([link for link in self._links() if link[shape] == one])

    def _chain(self) -> None:
        """Members reach their neighbours only."""
        self._cut([(a, b) for a, b in self._links() if abs(a - b) > 1])

    def _weather(self) -> None:
        rng = self._rng
        self._stage.network.weather = Weather(
            delay_s=rng.choice((0.0005, 0.02, 0.1)),
            jitter_s=rng.choice((0.001, 0.02, 0.1)),
            loss=rng.choice((0.0, 0.05, 0.3)),
            duplicate=rng.choice((0.0, 0.1, 0.3)),
            overtake=rng.choice((0.0, 0.3)),
        )
        self._lasting(0.5, 4.0, lambda: setattr(self._stage.network, "weather", Weather()))

    def _slow_disk(self) -> None:
        member = self._any()
        member.disk.wear.sync_s = self._rng.choice((0.05, 0.2, 0.6))
        usual = self._stage.plan.sync_s
        self._lasting(0.5, 3.0, lambda: setattr(member.disk.wear, "sync_s", usual))

    def _full_disk(self) -> None:
        member = self._any()
        member.disk.wear.full = True
        self._lasting(0.3, 3.0, lambda: setattr(member.disk.wear, "full", False))

    def _transfer(self) -> None:
        """The leader hands over to somebody, and now and then it soon leads again: what it had
        decided before is of an old term then."""
        member = self._leader()
        self._hand_over(self._any().id)
        if self._rng.random() < 0.5:
            self._lasting(0.1, 0.6, lambda: self._hand_over(member.id))

    def _hand_over(self, target: int) -> None:
        member = self._leader()
        if member.leads and member.engine and member.engine._running:
            assert member.host
            member.host.loop.call_soon(member.engine._running.driver.transfer, target)
