"""A lone member of the raft engine: no gRPC, no admission, values of 1.5 kB, each commit synced.

Batched rows a second and single commits from 64 tasks; then the loop's own share of a write
(encode, apply) without a disk, and what watching adds: an event to the one watcher, of 1,000,
whose node it is. CPU figures are of the loop's thread.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from secrets import randbelow

import structlog
import uvloop

from bench.figures import emit
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.kinds import by_resource
from holdfast.api.selectors import parse_fields
from holdfast.control.cache import Cache, Hub, Watcher
from holdfast.control.store import records
from holdfast.control.store.commands import ANY, Commit, Key, Write
from holdfast.control.store.raft_engine import RaftEngine
from holdfast.control.store.state import State

RUNS = 3
ROWS = 20_000
SINGLES = 8_000
TASKS = 64
NODES = 1_000
EVENTS_PER_S = 1_000
VALUE = os.urandom(1_500)


def row(name: str) -> Write:
    """A write of 1.5 kB that our own rows' tables take without decoding."""
    return Write(Key("~bench", "default", name), VALUE, ANY)


async def batched(engine: RaftEngine, run: int) -> float:
    """Durable rows a second of one large batch."""
    writes = [row(f"{run}-{n}") for n in range(ROWS)]
    began = time.monotonic()
    await engine.commit(Commit(b"", writes))
    return ROWS / (time.monotonic() - began)


async def singles(engine: RaftEngine, run: int) -> float:
    """Commits a second of TASKS tasks that each wait for their answer."""

    async def worker(task: int) -> None:
        for n in range(SINGLES // TASKS):
            await engine.commit(Commit(b"", (row(f"s{run}-{task}-{n}"),)))

    began = time.monotonic()
    await asyncio.gather(*(worker(task) for task in range(TASKS)))
    return SINGLES / (time.monotonic() - began)


def loop_share_us() -> float:
    """Encode and apply, µs a write in groups of 256."""
    state = State()
    groups = [
        Commit(b"%016d" % g, [row(f"{g}-{n}") for n in range(256)]) for g in range(ROWS // 256)
    ]
    began = time.thread_time()
    for commit in groups:
        records.chain(0, 1, 1, records.encode([commit]))
        state.apply(1, commit)
    return (time.thread_time() - began) / (len(groups) * 256) * 1e6


def pod(n: int) -> Write:
    """A small pod on its node."""
    message = core.Pod()
    message.metadata.name, message.metadata.namespace = f"pod-{n}", "default"
    message.spec.nodeName = f"node-{n % NODES}"
    message.spec.containers.add(name="main", image="localhost/holdfast-demo:1")
    return Write(Key("pods", "default", f"pod-{n}"), message.SerializeToString(), ANY)


async def follow(watch: Watcher, delays: list[float], sent: dict[int, float]) -> None:
    """Take batches as a server would, and note how late each event is."""
    while True:
        batch = await watch.next()
        b"".join([event.encoded for event in batch.events])
        now = time.monotonic()
        delays += [now - sent[e.revision] for e in batch.events if e.revision in sent]


async def watched(engine: RaftEngine, cache: Cache) -> tuple[float, float]:
    """NODES watchers of their own pods at EVENTS_PER_S: CPU µs an event that the watchers add,
    and the worst of 99 % of the delays in ms."""
    hub = Hub(cache)
    writes = [pod(n) for n in range(NODES)]
    quiet = await churn(engine, writes, {})
    kind = by_resource("pods")
    delays: list[float] = []
    sent: dict[int, float] = {}
    watches = [
        hub.watch("pods", fields=parse_fields(f"spec.nodeName=node-{n}", kind))
        for n in range(NODES)
    ]
    tasks = [asyncio.create_task(follow(watch, delays, sent)) for watch in watches]
    await asyncio.sleep(0.5)
    busy = await churn(engine, writes, sent)
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    hub.close()
    assert len(delays) == len(sent)
    return busy - quiet, sorted(delays)[len(delays) * 99 // 100] * 1e3


async def churn(engine: RaftEngine, writes: list[Write], sent: dict[int, float]) -> float:
    """Change every pod once, EVENTS_PER_S in commits of ten: CPU µs of the loop an event."""
    began, cpu = time.monotonic(), time.thread_time()
    for start in range(0, len(writes), 10):
        result = await engine.commit(Commit(b"", writes[start : start + 10]))
        now = time.monotonic()
        sent |= {outcome.revision: now for outcome in result.outcomes}
        await asyncio.sleep(max(0.0, began + start / EVENTS_PER_S - time.monotonic()))
    return (time.thread_time() - cpu) / len(writes) * 1e6


async def measure(path: Path) -> None:
    """Every figure, RUNS times."""
    engine = RaftEngine(path, randbelow, cluster_id="bench")
    cache = Cache(engine)
    await engine.start()
    gc.freeze()
    emit("store_engine.batched_rows_per_s", [await batched(engine, n) for n in range(RUNS)], "/s")
    emit("store_engine.singles_per_s", [await singles(engine, n) for n in range(RUNS)], "/s")
    emit("store_engine.encode_apply", [loop_share_us() for _ in range(RUNS)], "us/write")
    found = [await watched(engine, cache) for _ in range(RUNS)]
    emit("store_engine.watch_cpu", [cpu for cpu, _ in found], "us/event")
    emit("store_engine.watch_delay_p99", [delay for _, delay in found], "ms")
    await engine.stop()


def main() -> None:
    sys.setswitchinterval(0.0005)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        uvloop.run(measure(Path(folder) / "store"))


if __name__ == "__main__":
    main()
