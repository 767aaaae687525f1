"""Our replicated store beside Debian's etcd, three members each, as processes of this machine.

Both groups run all the time and are loaded in turn, five times, by this process: the same
channels, 8 connections to the leader, mutual TLS. `put` is 64 clients that each wait for their
answer, `batch` objects a second in batches of 100 (etcd: one transaction of 100 puts) from 16
clients. A ratio is ours to etcd's of the same round. `one` is a member that is alone.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import emit
from bench.members import calls, processes

ROUNDS = 5
SECONDS = 2.0
WARM_S = 1.0
CLIENTS = 64
BATCH = 100
BATCH_CLIENTS = 64
SMALL, LARGE = 256, 1_500

Work = Callable[[int, str], Coroutine[Any, Any, None]]
Load = Callable[[calls.Writer, str, float], Coroutine[Any, Any, float]]


async def _rate(clients: int, work: Work, prefix: str, seconds: float) -> float:
    """Calls a second of so many clients that each wait for their answer."""
    done, ends = 0, time.monotonic() + seconds

    async def client(number: int) -> None:
        nonlocal done
        made = 0
        while time.monotonic() < ends:
            await work(number, f"{prefix}-{number}-{made}")
            made += 1
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return done / (time.monotonic() - began)


def singles(size: int) -> Load:
    """Single objects of so many bytes."""
    value = os.urandom(size)

    async def load(writer: calls.Writer, prefix: str, seconds: float) -> float:
        return await _rate(CLIENTS, lambda n, name: writer.put(n, name, value), prefix, seconds)

    return load


def batches(size: int) -> Load:
    """Objects in batches."""
    value = os.urandom(size)

    async def load(writer: calls.Writer, prefix: str, seconds: float) -> float:
        async def work(number: int, name: str) -> None:
            await writer.batch(number, [f"{name}-{at}" for at in range(BATCH)], value)

        return BATCH * await _rate(BATCH_CLIENTS, work, prefix, seconds)

    return load


LOADS: dict[str, Load] = {
    "put": singles(SMALL),
    "batch": batches(SMALL),
    "put_1500": singles(LARGE),
    "batch_1500": batches(LARGE),
}


async def measure(etcd: calls.Writer, ours: calls.Writer) -> None:
    """Every load in turn on both, and the ratios."""
    for load in LOADS.values():
        for writer in (etcd, ours):
            await load(writer, "warm", WARM_S)
    for name, load in LOADS.items():
        theirs, own = [], []
        for number in range(ROUNDS):
            theirs.append(await load(etcd, f"{name}-{number}", SECONDS))
            own.append(await load(ours, f"{name}-{number}", SECONDS))
        emit(f"raft.etcd.{name}_per_s", theirs, "/s")
        emit(f"raft.{name}_per_s", own, "/s")
        ratios = [mine / other for mine, other in zip(own, theirs, strict=True)]
        emit(f"raft.{name}_ratio", ratios, "x etcd")


async def alone(writer: calls.Writer) -> None:
    """The figures of a lone member."""
    for name in ("put", "batch"):
        await LOADS[name](writer, "warm", WARM_S)
        values = [await LOADS[name](writer, f"{name}-{n}", SECONDS) for n in range(3)]
        emit(f"raft.one.{name}_per_s", values, "/s")


async def connected(group: processes.Processes, *, of_etcd: bool = False) -> calls.Writer:
    """Connections to the leader."""
    number = await calls.leader(group, of_etcd=of_etcd)
    kind = calls.Etcd if of_etcd else calls.Ours
    return kind(group.addresses[number - 1], calls.tls(group))


async def run(groups: dict[str, processes.Processes]) -> None:
    """All of it."""
    for name in ("etcd", "ours"):
        groups[name].start()
    etcd = await connected(groups["etcd"], of_etcd=True)
    ours = await connected(groups["ours"])
    await measure(etcd, ours)
    for name, writer in (("etcd", etcd), ("ours", ours)):
        await writer.close()
        groups[name].stop()
    groups["one"].start()
    one = await connected(groups["one"])
    await alone(one)
    await one.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        place = Path(folder)
        groups = {
            "etcd": processes.etcd(place / "etcd", 3),
            "ours": processes.members(place / "ours", 3),
            "one": processes.members(place / "one", 1),
        }
        try:
            uvloop.run(run(groups))
        finally:
            for group in groups.values():
                group.stop()


if __name__ == "__main__":
    main()
