"""A follower that was away for 100,000 writes catches up by a snapshot, while writes go on.

Three members as processes. A follower is killed, 100,000 objects are written, then it is started
again; `seconds` is from its start until it is level. 64 clients write single objects, each waiting
for its answer: their pace during the catch-up is compared with that before the follower was killed
(`of_level`: all three level) and with that before it was started again (`of_away`: two members
share the machine's processors instead of three).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.figures import emit
from bench.members import calls, processes
from bench.members.following import Following

AWAY_WRITES = 100_000
BATCH = 25
FILLERS = 2
"""Few enough that the log grows by thousands of entries: it could not be caught up with."""
CLIENTS = 64
PACE_S = 5.0
STEADY_S = 1.0
LEVEL_WITHIN = 500
LOOK_S = 0.02
WAIT_S = 60.0
VALUE = os.urandom(256)
SENT = "sending a snapshot"


class Pace:
    """Clients that write without end. `count`: acknowledged so far."""

    def __init__(self, writer: calls.Writer) -> None:
        self._writer = writer
        self.count = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, prefix: str) -> None:
        """Begin to write."""
        self._tasks = [
            asyncio.create_task(self._write(number, prefix)) for number in range(CLIENTS)
        ]

    async def stop(self) -> None:
        """End; raises what a client failed with."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                raise RuntimeError("a client could not write") from ended

    async def per_s(self, seconds: float) -> float:
        """Writes a second over some time."""
        began, count = time.monotonic(), self.count
        await asyncio.sleep(seconds)
        return (self.count - count) / (time.monotonic() - began)

    async def _write(self, number: int, prefix: str) -> None:
        made = 0
        while True:
            await self._writer.put(number, f"{prefix}-{number}-{made}", VALUE)
            self.count += 1
            made += 1


async def fill(writer: calls.Writer) -> None:
    """What the follower misses."""

    async def client(number: int) -> None:
        for start in range(0, AWAY_WRITES // FILLERS, BATCH):
            names = [f"away-{number}-{start + at}" for at in range(BATCH)]
            await writer.batch(number, names, VALUE)

    await asyncio.gather(*(client(number) for number in range(FILLERS)))


async def until_level(client: Following, follower: int, leader: int) -> None:
    """Wait until the follower has what the leader has."""
    async with asyncio.timeout(WAIT_S):
        while True:
            behind = await client.revision(leader) - await client.revision(follower)
            if behind < LEVEL_WITHIN:
                return
            await asyncio.sleep(LOOK_S)


async def run(group: processes.Processes) -> None:
    """All of it."""
    group.start()
    leader = await calls.leader(group)
    follower = leader % 3 + 1
    client = Following(group)
    writer = calls.Ours(group.addresses[leader - 1], calls.tls(group))
    await until_level(client, follower, leader)
    pace = Pace(writer)
    pace.start("level")
    await asyncio.sleep(STEADY_S)
    level = await pace.per_s(PACE_S)
    await pace.stop()
    group.kill(follower)
    await fill(writer)
    pace.start("away")
    await asyncio.sleep(STEADY_S)
    away = await pace.per_s(PACE_S)
    began, count = time.monotonic(), pace.count
    group.start(follower)
    await until_level(client, follower, leader)
    seconds = time.monotonic() - began
    during = (pace.count - count) / seconds
    await pace.stop()
    snapshots = (group.folder / f"{leader}.log").read_text().count(SENT)
    emit("catchup.seconds", seconds, "s")
    emit("catchup.snapshots", snapshots, "snapshots")
    emit("catchup.level_per_s", level, "/s")
    emit("catchup.away_per_s", away, "/s")
    emit("catchup.during_per_s", during, "/s")
    emit("catchup.of_level", during / level, "x")
    emit("catchup.of_away", during / away, "x")
    await writer.close()
    await client.close()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        group = processes.members(Path(folder) / "members", 3)
        try:
            uvloop.run(run(group))
        finally:
            group.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
