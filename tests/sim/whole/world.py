"""The one true clock, and everything that waits for it: hosts with their loops, and deliveries.

`run` turns whoever is due next; time jumps there. A host's own clock may run fast or slow, and a
paused host is not turned until it goes on: then its clock has jumped and all its timers are late.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any

from tests.sim.streams import Streams, Trace
from tests.sim.whole.loop import NEVER, SimLoop

TURN_S = 1e-6
"""What one turn of a loop costs: nothing happens in no time, and who polls sees time go by."""
BUSY_TURNS_MAX = 100_000
"""More turns than this in one slice of time (`run`'s caller gives them, ~1 s): something spins."""


class Host:
    """A process with its loop. rate: its seconds by true second."""

    def __init__(self, world: World, name: str, rate: float) -> None:
        self.name = name
        self.paused = False
        self._world = world
        self._rate = rate
        self._begun = world.now
        self._reached = 0.0
        self._due = 0.0  # the same, as its own clock shows it
        self.due = 0.0  # the true time at which its loop must be turned
        self.loop = SimLoop(self.time)
        self.ready = self.loop.ready

    def time(self) -> float:
        """Its local time: since its start, by its own rate."""
        return max(self._reached, (self._world.now - self._begun) * self._rate)

    def pause(self, paused: bool) -> None:
        """Stand still, or go on."""
        self.paused = paused
        self.look()

    def turn(self) -> None:
        """Turn its loop until nothing in it is ready: nobody else has anything to do before. A
        timer is never early, however the clocks' conversions round."""
        due, loop, world, turns = self._due, self.loop, self._world, 0
        if self._reached < due <= self.time() + 1e-6:
            self._reached = due
        loop.enter()
        try:
            while not turns or self.ready:
                loop.once()
                world.now += TURN_S
                turns += 1
                if turns > BUSY_TURNS_MAX:
                    raise RuntimeError(f"{self.name} spins at {world.now:.3f}")
        finally:
            loop.leave()
        self.look()

    def look(self) -> None:
        """Find `due` anew: after a turn of its loop, and when others may have woken it."""
        self._due = local = NEVER if self.paused else self.loop.due()
        self.due = local if local == NEVER else self._begun + local / self._rate


class World:
    """The simulation's clock and what is scheduled on it."""

    def __init__(self, streams: Streams) -> None:
        self.now = 0.0
        self.streams = streams
        self.trace = Trace()
        self.hosts: list[Host] = []
        self._gone: list[Host] = []  # kept, so that nothing of them is finalized in a run
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0
        self.error: BaseException | None = None  # of an actor: the simulation itself is wrong

    def note(self, line: str) -> None:
        """One line into the trace, with the time."""
        self.trace.note(f"{self.now:.6f} {line}")

    def host(self, name: str, rate: float = 1.0) -> Host:
        """A new process."""
        host = Host(self, name, rate)
        self.hosts.append(host)
        return host

    def spawn(self, host: Host, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something in a process; an error in it ends the run."""
        task = host.loop.create_task(work)
        task.add_done_callback(self._look)
        return task

    def _look(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.error = self.error or task.exception()

    def kill(self, host: Host) -> None:
        """End a process at once: its loop is never turned again."""
        self.hosts.remove(host)
        self._gone.append(host)

    def after(self, delay_s: float, deed: Callable[[], None]) -> None:
        """Do something in so many true seconds."""
        self._made += 1
        heapq.heappush(self._later, (self.now + delay_s, self._made, deed))

    def run(self, until: float) -> None:
        """Let time pass up to a moment. The turn of one host wakes no other; what happens between
        turns makes callbacks ready, or pauses a host."""
        turns = 0
        for host in self.hosts:
            host.look()
        while True:
            if self.error:
                raise self.error
            best, who = (self._later[0][0] if self._later else NEVER), None
            for host in self.hosts:
                if host.due < best:
                    best, who = host.due, host
            if best > until:
                self.now = until
                return
            self.now = max(self.now, best)
            if who is None:
                heapq.heappop(self._later)[2]()
                for host in self.hosts:
                    if host.ready:  # what came may have woken it
                        host.look()
                continue
            turns += 1
            if turns > BUSY_TURNS_MAX:
                raise RuntimeError(f"{who.name} spins at {self.now:.3f}")
            who.turn()

    def close(self) -> None:
        """Cancel what still runs and close the loops: for who has more than one run in a process.
        What has crashed runs its `finally` then, after everything."""
        for host in (*self.hosts, *self._gone):
            for task in asyncio.all_tasks(host.loop):
                task.cancel()
            for _ in range(3):
                host.turn()
            host.loop.close()
