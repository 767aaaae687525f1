"""How long no write is acknowledged when the leader is killed, and whether any is lost.

200 writes a second, SIGKILL to whoever leads, again and again; the killed one is started at once,
and the next kill waits until it is level. A gap is the longest time without an acknowledgement
around a kill. At the end every acknowledged key must be there, or this fails. `raft`: three
control nodes as `up` runs them, ConfigMaps by the client that everybody uses. `etcd`: three
engines alone on Debian's etcd of three members, of which none is killed; leadership hangs on a
lease of 2 s there.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Protocol

import structlog
import uvloop

from bench import cluster
from bench.figures import emit
from bench.members import calls, processes
from bench.members.control import ControlNodes
from bench.members.following import Following

KILLS = {"raft": 20, "etcd": 8}
WRITES_PER_S = 200
STEADY_S = 0.5
LOOK_S = 0.05
WAIT_S = 30.0
VALUE = os.urandom(256)


class Nodes(Protocol):
    """Control nodes that can be killed, and a client of them. A member is a name or a number."""

    async def put(self, name: str, value: bytes) -> None:
        """One object; returns when it is acknowledged."""

    async def leader(self) -> Any:
        """Who leads; waits for it."""

    def kill(self, member: Any) -> None:
        """SIGKILL."""

    def revive(self, member: Any) -> None:
        """Start a killed one again, where nobody else does."""

    async def level(self, member: Any) -> bool:
        """Whether a member runs and has what the leader has."""

    async def names(self) -> set[str]:
        """Every key that is there now."""

    async def close(self) -> None:
        """End the connections."""


class Load:
    """Steady writes, each until it is acknowledged. `acknowledged`: when, in order; and `names`."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.acknowledged: list[float] = []
        self.names: set[str] = set()
        self._acknowledged = asyncio.Event()  # set by each acknowledgement; `more` waits
        self._under_way: dict[int, asyncio.Task[None]] = {}

    async def run(self, ends: asyncio.Event) -> None:
        """Write until told to end, then until all is acknowledged."""
        began, number = time.monotonic(), 0
        while not ends.is_set():
            task = asyncio.create_task(self._write(number))
            self._under_way[number] = task
            number += 1
            await asyncio.sleep(max(0.0, began + number / WRITES_PER_S - time.monotonic()))
        await asyncio.gather(*list(self._under_way.values()))

    async def _write(self, number: int) -> None:
        name = f"key-{number}"
        await self._nodes.put(name, VALUE)
        self.acknowledged.append(time.monotonic())
        self.names.add(name)
        self._acknowledged.set()
        del self._under_way[number]

    async def more(self, count: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(WAIT_S):
            while len(self.acknowledged) < wanted:
                self._acknowledged.clear()
                await self._acknowledged.wait()

    def gap_s(self, since: float) -> float:
        """The longest time without an acknowledgement from a moment on."""
        times = [since, *(one for one in self.acknowledged if one >= since)]
        return max(after - before for before, after in itertools.pairwise(times))


async def kill(nodes: Nodes, load: Load) -> float:
    """Kill who leads, and wait until all is well again: the gap."""
    leader = await nodes.leader()
    since = load.acknowledged[-1]
    nodes.kill(leader)
    await load.more(int(WRITES_PER_S * STEADY_S))
    nodes.revive(leader)
    async with asyncio.timeout(WAIT_S):
        while not await nodes.level(leader):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)
    await load.more(int(WRITES_PER_S * STEADY_S))
    return load.gap_s(since)


async def measure(name: str, nodes: Nodes) -> int:
    """All kills; the number of acknowledged writes that are not there."""
    load, ends = Load(nodes), asyncio.Event()
    writing = asyncio.create_task(load.run(ends))
    await load.more(WRITES_PER_S)
    gaps = [await kill(nodes, load) for _ in range(KILLS[name])]
    ends.set()
    await writing
    lost = len(load.names - await nodes.names())
    await nodes.close()
    emit(f"failover.{name}.gap_p50_s", gaps, "s")
    emit(f"failover.{name}.gap_worst_s", max(gaps), "s")
    emit(f"failover.{name}.acknowledged", len(load.names), "writes")
    emit(f"failover.{name}.lost", lost, "writes")
    return lost


async def raft() -> int:
    """Three control nodes; acknowledged writes that were lost."""
    with cluster.hollow(1, control=3) as here:
        return await measure("raft", ControlNodes(here))


async def etcd(place: Path) -> int:
    """Three engines on an etcd; acknowledged writes that were lost."""
    servers = processes.etcd(place / "etcd", 3)
    group = processes.members(place / "engines", 3, processes.etcd_target(servers))
    try:
        servers.start()
        await calls.leader(servers, of_etcd=True)
        group.start()
        await calls.leader(group)
        return await measure("etcd", Following(group))
    finally:
        group.stop()
        servers.stop()


def main() -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    lost = uvloop.run(raft())
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        lost += uvloop.run(etcd(Path(folder)))
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
