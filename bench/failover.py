"""How long no write is acknowledged when the leader is killed, and whether any is lost.

Three members as processes, 200 writes a second, SIGKILL to whoever leads, again and again; the
killed one is started at once when writes go on, and the next kill waits until it is level. A gap
is the longest time without an acknowledgement around a kill. At the end every acknowledged key
must be there. `raft` is our own group; `etcd` three control nodes' engines on Debian's etcd of
three members, of which none is killed: leadership hangs on a lease of 2 s there.
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
from bench.members.tls import CA

KILLS = {"raft": 20, "etcd": 8}
WRITES_PER_S = 200
STEADY_S = 0.5
LEVEL_WITHIN = WRITES_PER_S
"""A member is level when it lacks at most the writes of a second."""
LOOK_S = 0.05
WAIT_S = 30.0
VALUE = os.urandom(256)


class Load:
    """Steady writes, each until it is acknowledged. `acknowledged`: when, in order; and `names`."""

    def __init__(self, client: calls.Following) -> None:
        self._client = client
        self.acknowledged: list[float] = []
        self.names: set[str] = set()
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
        await self._client.put(name, VALUE)
        self.acknowledged.append(time.monotonic())
        self.names.add(name)
        del self._under_way[number]

    def gap_s(self, since: float) -> float:
        """The longest time without an acknowledgement from a moment on."""
        times = [since, *(one for one in self.acknowledged if one >= since)]
        return max(after - before for before, after in zip(times, times[1:], strict=False))


async def kill(group: processes.Processes, client: calls.Following, load: Load) -> float:
    """Kill who leads, start it again when writes go on: the gap."""
    leader = await client.leader()
    since = load.acknowledged[-1]
    group.kill(leader)
    count = len(load.acknowledged)
    async with asyncio.timeout(WAIT_S):
        while len(load.acknowledged) < count + WRITES_PER_S * STEADY_S:
            await asyncio.sleep(LOOK_S)
        group.start(leader)
        while await client.revision(leader) < await newest(client) - LEVEL_WITHIN:
            if group.ended():
                raise RuntimeError(f"member {leader} ended: {group.log(leader)}")
            await asyncio.sleep(LOOK_S)
    await asyncio.sleep(STEADY_S)
    return load.gap_s(since)


async def newest(client: calls.Following) -> int:
    """What the leader has applied; beyond everything when it does not answer."""
    revision = await client.revision(await client.leader())
    return revision if revision >= 0 else sys.maxsize


async def measure(name: str, group: processes.Processes) -> int:
    """All kills of one group; the number of acknowledged writes that are not there."""
    group.start()
    await calls.leader(group)
    client = calls.Following(group)
    load, ends = Load(client), asyncio.Event()
    writing = asyncio.create_task(load.run(ends))
    await asyncio.sleep(2 * STEADY_S)
    gaps = [await kill(group, client, load) for _ in range(KILLS[name])]
    ends.set()
    await writing
    lost = len(load.names - await client.names())
    await client.close()
    emit(f"failover.{name}.gap_p50_s", gaps, "s")
    emit(f"failover.{name}.gap_worst_s", max(gaps), "s")
    emit(f"failover.{name}.acknowledged", len(load.names), "writes")
    emit(f"failover.{name}.lost", lost, "writes")
    return lost


async def run(place: Path) -> int:
    """Both engines; acknowledged writes that were lost."""
    group = processes.members(place / "raft", 3)
    try:
        lost = await measure("raft", group)
    finally:
        group.stop()
    etcd = processes.etcd(place / "etcd", 3)
    group = processes.members(place / "engines", 3, _target(etcd))
    try:
        etcd.start()
        await calls.leader(etcd, of_etcd=True)
        return lost + await measure("etcd", group)
    finally:
        group.stop()
        etcd.stop()


def _target(etcd: processes.Processes) -> str:
    files = {"ca": CA, "cert": "client.pem", "key": "client.key"}
    options = "&".join(f"{name}={etcd.folder / file}" for name, file in files.items())
    return f"etcd://{','.join(etcd.addresses)}?{options}"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        return int(uvloop.run(run(Path(folder))) > 0)


if __name__ == "__main__":
    sys.exit(main())
