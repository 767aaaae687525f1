"""What goes wrong in a run, drawn from its seed: one fault at a time, each undone before the next.

A fault is drawn for control nodes or for the members of the store below them (the same on raft),
the leader as often as not. `Trouble.next` begins one and says how long it holds; `undo` ends it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from tests.integration.histories.machines.groups import Group
from tests.integration.histories.machines.lab import Lab, fill
from tests.integration.histories.machines.programs import Program


class Scenario(StrEnum):
    """Which faults a run has."""

    KILL = "kill"
    PAUSE = "pause"
    CUT = "cut"
    DISK = "disk"
    ALL = "all"


class Fault(NamedTuple):
    """One fault that has begun. undo: ends it."""

    what: str
    hold_s: float
    undo: Callable[[], None]


class Trouble:
    """Begins faults. leader: the number of the control node that leads now, 0 = nobody."""

    def __init__(
        self, lab: Lab, group: Group, rng: random.Random, leader: Callable[[], int]
    ) -> None:
        self._lab = lab
        self._group = group
        self._rng = rng
        self._leader = leader
        self._kinds: dict[Scenario, Callable[[], Fault]] = {
            Scenario.KILL: self._kill,
            Scenario.PAUSE: self._pause,
            Scenario.CUT: self._cut,
            Scenario.DISK: self._fill,
        }

    def next(self, scenario: Scenario) -> Fault:
        """Begin the next fault of a scenario."""
        kinds = list(self._kinds) if scenario == Scenario.ALL else [scenario]
        return self._kinds[self._rng.choice(kinds)]()

    def _kill(self) -> Fault:
        """SIGKILL of one process, at times of two at once. Undone when they serve again."""
        targets = self._targets(self._rng.choice((1, 1, 1, 2)))
        for one in targets:
            one.kill()

        def undo() -> None:
            for one in targets:
                one.start()
            for one in targets:
                one.wait_ready()

        return Fault(f"kill {_names(targets)}", self._rng.uniform(0.0, 2.0), undo)

    def _pause(self) -> Fault:
        """SIGSTOP: for less than an election takes, or for longer."""
        targets = self._targets(1)
        for one in targets:
            one.pause()

        def undo() -> None:
            for one in targets:
                one.go_on()

        hold_s = self._rng.choice((0.3, 1.0, 3.0)) * self._rng.uniform(0.5, 1.5)
        return Fault(f"pause {_names(targets)}", hold_s, undo)

    def _cut(self) -> Fault:
        """Dropped packets between machines of the group; clients reach every control node."""
        rng = self._rng
        (target,) = self._targets(1)
        others = [host for host in self._lab.hosts if host != target.host]
        shape = rng.choice(("both ways", "hears nobody", "nobody hears", "a pair", "everybody"))
        if shape in ("both ways", "hears nobody"):
            self._lab.deafen(target.host, *others)
        if shape in ("both ways", "nobody hears"):
            for other in others:
                self._lab.deafen(other, target.host)
        if shape == "a pair":
            other = rng.choice(others)
            self._lab.deafen(other, target.host)
            self._lab.deafen(target.host, other)
        if shape == "everybody":
            for host in self._lab.hosts:
                self._lab.deafen(host, *[one for one in self._lab.hosts if one != host])
        return Fault(f"cut {target.host}: {shape}", rng.uniform(1.5, 4.0), self._lab.heal)

    def _fill(self) -> Fault:
        """A full disk below one member of the store."""
        group = self._group
        leader = self._leading() if group.stores is group.controls else None
        target = leader or self._rng.choice(group.stores)
        ballast = fill(group.disk(target))
        return Fault(f"fill the disk of {target.host}", self._rng.uniform(1.5, 4.0), ballast.unlink)

    def _targets(self, count: int) -> list[Program]:
        """Processes: the leading control node as often as not."""
        leader = self._leading()
        every = list(dict.fromkeys((*self._group.controls, *self._group.stores)))
        if leader is None:
            return self._rng.sample(every, min(count, len(every)))
        others = [one for one in every if one is not leader]
        return [leader, *self._rng.sample(others, min(count - 1, len(others)))]

    def _leading(self) -> Program | None:
        """The leader, or nobody, for somebody else's turn."""
        number = self._leader() if self._rng.random() < 0.6 else 0
        return self._group.controls[number - 1] if number else None


def _names(programs: Sequence[Program]) -> str:
    return " and ".join(one.host for one in programs)
