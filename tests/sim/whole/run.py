"""One seed of the whole tier: a safety phase with faults, a liveness phase without, the checks.

Everything runs on the world's clock: members, clients and faults. After the safety phase all that
is broken works again; within ten election timeouts there must be one leader, every key must take
a write, and everybody must be level. Then all are stopped in good order, and nothing may be left.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import structlog

from holdfast.control.store.commands import ANY, Refusal, Write
from tests.sim.checkers import acknowledged, fence, once, registers, replay, watches
from tests.sim.history import Kind, origin
from tests.sim.report import Report, told
from tests.sim.streams import Streams
from tests.sim.violations import Checker
from tests.sim.whole import controller
from tests.sim.whole.clients import KEYS, THINGS, Client
from tests.sim.whole.faults import Faults
from tests.sim.whole.member import Member
from tests.sim.whole.network import Network
from tests.sim.whole.plan import LIVENESS_S, SAFETY_S, draw
from tests.sim.whole.service import Service
from tests.sim.whole.stage import Stage
from tests.sim.whole.watchers import WatchClient
from tests.sim.whole.world import World

OPERATIONS_MIN, FAULTS_MIN, CHANGES_MIN = 300, 20, 3
CLIENTS = 5
STOP_S = 9.0
BEHIND_MAX = 10
"""Revisions that a member may be behind while clients write: less than a second of them."""
LEVEL_S = 5.0
"""A watch is at most so far behind when all is well: a slow one takes pages one by one."""
WRITERS_END_S = SAFETY_S + LIVENESS_S - 2.0


_kept: list[object] = []
"""Runs of this process, so that nothing of them is finalized: who crashed stays as it was."""


def run(seed: int) -> Report:
    """Run one seed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    streams = Streams(seed)
    world = World(streams)
    plan = draw(streams["plan"])
    stage = Stage(plan, world, Network(world, Counter(), plan.snapshot_s))
    play = Play(stage)
    _kept.append(play)
    play.act()
    found = told(stage.truth.violations)
    found += [(str(checker), sentence) for checker, sentence in play.checked()]
    void = "" if found else _void(stage)
    counts = dict(stage.counts)
    return Report(seed, world.trace.digest, found, counts, void, world.trace.lines)


def _void(stage: Stage) -> str:
    """Why a run without a violation proves nothing; "" = it does."""
    changes = len(stage.truth.leaders) - 1
    if stage.history.finished < OPERATIONS_MIN:
        return f"only {stage.history.finished} operations were finished"
    if stage.counts["fault"] < FAULTS_MIN:
        return f"only {stage.counts['fault']} faults struck"
    if changes < CHANGES_MIN:
        return f"leadership changed only {changes} times"
    return ""


class Play:
    """The actors of one run and its acts."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        voters = tuple(range(1, stage.plan.members + 1))
        self.members = {ident: Member(stage, ident, voters) for ident in voters}
        self.faults = Faults(stage, self.members)
        self._host = stage.world.host("clients")
        service = Service(stage, self.members, self._host)
        self.clients = [Client(stage, service, self.members, -1 - n) for n in range(CLIENTS)]
        self.sweeper = Client(stage, service, self.members, -1 - CLIENTS)
        self.watchers = [
            WatchClient(stage, self.members, self._host, -2 - CLIENTS - n, resource)
            for n, resource in enumerate((THINGS, THINGS, controller.RESOURCE))
        ]
        self._swept = 0
        self._level = 0  # the newest revision LEVEL_S before the end
        self._left: dict[int, list[str]] = {}
        self._reached: dict[int, int] = {}

    def act(self) -> None:
        """All acts, up to the first broken promise."""
        world, violations = self.stage.world, self.stage.truth.violations
        for member in self.members.values():
            member.start()
        for actor in (*self.clients, *self.watchers):
            world.spawn(self._host, actor.run())
        self.faults.begin()
        end, second = SAFETY_S + LIVENESS_S, 1.0
        while second <= end and not violations:
            world.run(second)
            if second == SAFETY_S:
                self.faults.heal()
                world.spawn(self._host, self._sweep())
            if second == end - LEVEL_S:
                self._judge_pace()
                self._level = self.stage.truth.revision
            if second == WRITERS_END_S:
                self.stage.ending = True
                for client in self.clients:
                    client.ending = True
            second += 1.0
        if not violations:
            self._note_reached()
            self._judge_liveness()
        if not violations:
            self._stop()

    def _judge_pace(self) -> None:
        """While writes still go on, whoever was behind must have caught up."""
        newest = self.stage.truth.revision
        for ident, member in self._belonging().items():
            revision = member.engine.revision if member.engine and member.ready else 0
            if revision < newest - BEHIND_MAX:
                self.stage.truth.accuse(
                    Checker.LIVENESS,
                    f"member {ident} is at revision {revision} of {newest} while writes go on",
                )

    async def _sweep(self) -> None:
        """Write every key once."""
        for key in KEYS:
            while not await self.sweeper.write([Write(key, b"", ANY)]):
                pass
            self._swept += 1

    def _judge_liveness(self) -> None:
        """P, at the end of the liveness phase."""
        for sentence in self._wrong():
            self.stage.truth.accuse(Checker.LIVENESS, f"{LIVENESS_S} s after the faults {sentence}")

    def _note_reached(self) -> None:
        self._reached = {
            ident: member.engine.revision
            for ident, member in self._belonging().items()
            if member.ready and member.engine
        }

    def _belonging(self) -> dict[int, Member]:
        """The members of the group, as the newest of them know it."""
        running = [one for one in self.members.values() if one.ready and one.engine]
        newest = max(running, key=lambda one: (one.applied, one.id), default=None)
        if newest is None or newest.engine is None:
            return self.members
        return {one.member.id: self.members[one.member.id] for one in newest.engine.members()}

    def _wrong(self) -> Iterator[str]:
        group = self._belonging()
        leaders = [member.id for member in group.values() if member.leads]
        if len(leaders) != 1:
            yield f"members {leaders} lead"
        if self._swept < len(KEYS):
            yield f"only {self._swept} of {len(KEYS)} keys took a write"
        places = {}
        for ident, member in group.items():
            if not member.ready or not member.engine or not member.engine._running:
                yield f"member {ident} does not run"
                continue
            store = member.engine._running.store
            position = store.state.position
            places[ident] = (store.log.applied, position.revision, position.checksum)
            if store.log.conf.voters_outgoing:
                yield f"member {ident} is in a joint configuration"
        if len({*places.values()}) > 1:
            yield f"members stand at different (index, revision, checksum): {places}"
        for watcher in self.watchers:
            if watcher.reached < self._level:
                yield f"a watch stands at revision {watcher.reached}, {LEVEL_S} s behind"

    def _stop(self) -> None:
        """Everybody ends in good order; nothing may be left running."""
        for actor in (*self.clients, *self.watchers, self.sweeper):
            actor.ending = True
        for ident, member in self.members.items():
            if not member.ready:
                continue  # removed, or never let in
            assert member.host
            self.stage.world.spawn(member.host, self._shut_down(ident, member))
        self.stage.world.run(self.stage.world.now + STOP_S)
        for ident, member in self.members.items():
            if not member.ready:
                continue
            left = self._left.get(ident)
            if left != []:
                what = "does not stop" if left is None else f"leaves {', '.join(left)} running"
                self.stage.truth.accuse(Checker.LIVENESS, f"member {ident} {what}")

    async def _shut_down(self, ident: int, member: Member) -> None:
        self._left[ident] = await member.shut_down()

    def checked(self) -> Iterator[tuple[Checker, str]]:
        """What the checkers say of the history."""
        history, truth = self.stage.history, self.stage.truth
        applied = [truth.applied[revision] for revision in sorted(truth.applied)]
        history.changes = [one.change for one in applied]
        history.terms = {one.change.revision: one.term for one in applied}
        checks = (
            (Checker.REPLAY, replay.check(history)),
            (Checker.LINEARIZABILITY, registers.check(history)),
            (Checker.ACKNOWLEDGED, acknowledged.check(history, self._reached)),
            (Checker.ONCE, once.check(history)),
            (Checker.FENCE, fence.check(history, controller.RESOURCE, controller.COPIES)),
            (Checker.WATCHES, watches.check(history)),
        )
        for checker, sentences in checks:
            for sentence in sentences:
                yield checker, sentence
        self._count_outcomes()
        self.stage.counts["operation finished"] = history.finished
        self.stage.counts["page told"] = sum(len(one.pages) for one in history.watches)

    def _count_outcomes(self) -> None:
        """What became of writes that were never answered, and of decisions of old terms."""
        history, counts = self.stage.history, self.stage.counts
        written = {origin(change.value) for change in history.changes if change.value is not None}
        for one in history.operations:
            if one.kind == Kind.WRITE and not one.known and not one.failed:
                happened = one.number in written
                counts["unknown and applied" if happened else "unknown and not applied"] += 1
            elif one.result and any(o.refusal == Refusal.TERM for o in one.result.outcomes):
                counts["commit of an old term refused"] += 1
