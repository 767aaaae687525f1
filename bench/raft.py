"""Our replicated store beside Debian's etcd, three members each, as processes of this machine.

All groups run all the time and are loaded in turn, five times, by this process: the same channels,
8 connections to the leader, mutual TLS. A ratio is ours to the other's of the same round.

`commit` compares Engine.commit on our engine with Engine.commit on the etcd engine: each in a
process with the same small service that takes the same bytes, and what they answer says the same.
`kv` compares ours with etcd's own KV, without an engine before it: a put with a put, a batch with
one transaction of 100 puts (one revision, one outcome), and by `each` with 100 puts at once.

`put` is 64 clients that each wait for their answer; `batch` objects a second in batches of 100 from
64 clients; `each` and `batch_1500` the same from 16. `one` is a member that is alone.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import emit
from bench.members import calls, processes

ROUNDS = 5
SECONDS = 1.5
WARM_S = 0.5
CLIENTS = 64
BATCH = 100
FEW_CLIENTS = 16
"""For `each`: etcd refuses more than 5,000 puts under way. For large batches: with 64 of 150 kB
under way an etcd on two cores answers leases too late, and its engine loses the leadership."""
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


def batches(size: int, clients: int) -> Load:
    """Objects in batches."""
    value = os.urandom(size)

    async def load(writer: calls.Writer, prefix: str, seconds: float) -> float:
        async def work(number: int, name: str) -> None:
            await writer.batch(number, _names(name), value)

        return BATCH * await _rate(clients, work, prefix, seconds)

    return load


def each(size: int) -> Load:
    """Objects in batches, whose objects are puts of their own at etcd's KV."""
    value = os.urandom(size)

    async def load(writer: calls.Writer, prefix: str, seconds: float) -> float:
        async def work(number: int, name: str) -> None:
            await writer.each(number, _names(name), value)

        return BATCH * await _rate(FEW_CLIENTS, work, prefix, seconds)

    return load


def _names(prefix: str) -> list[str]:
    return [f"{prefix}-{at}" for at in range(BATCH)]


LOADS: dict[str, Load] = {
    "put": singles(SMALL),
    "batch": batches(SMALL, CLIENTS),
    "each": each(SMALL),
    "put_1500": singles(LARGE),
    "batch_1500": batches(LARGE, FEW_CLIENTS),
}


COMMIT, KV = "commit", "kv"
UNITS = {COMMIT: "x etcd engine", KV: "x etcd KV"}
ONLY_KV = {"each"}


async def measure(others: dict[str, calls.Writer], ours: calls.Writer) -> None:
    """Every load in turn on all, and the ratios. others: by what is compared."""
    for name, load in LOADS.items():
        for writer in (*_compared(name, others).values(), ours):
            await load(writer, f"warm-{name}", WARM_S)
    for name, load in LOADS.items():
        compared = _compared(name, others)
        theirs: dict[str, list[float]] = {level: [] for level in compared}
        own = []
        for number in range(ROUNDS):
            for level, writer in compared.items():
                theirs[level].append(await load(writer, f"{name}-{number}", SECONDS))
            own.append(await load(ours, f"{name}-{number}", SECONDS))
        emit(f"raft.{name}_per_s", own, "/s")
        for level, rates in theirs.items():
            ratios = [mine / other for mine, other in zip(own, rates, strict=True)]
            emit(f"raft.{level}.etcd.{name}_per_s", rates, "/s")
            emit(f"raft.{level}.{name}_ratio", ratios, UNITS[level])


def _compared(name: str, others: dict[str, calls.Writer]) -> dict[str, calls.Writer]:
    return {level: one for level, one in others.items() if level == KV or name not in ONLY_KV}


async def alone(writer: calls.Writer) -> None:
    """The figures of a lone member."""
    for name in ("put", "batch"):
        await LOADS[name](writer, "warm", WARM_S)
        values = [await LOADS[name](writer, f"{name}-{n}", SECONDS) for n in range(3)]
        emit(f"raft.one.{name}_per_s", values, "/s")


async def connected(group: processes.Processes) -> calls.Writer:
    """Connections to the leader of members of ours."""
    number = await calls.leader(group)
    return calls.Ours(group.addresses[number - 1], calls.tls(group))


async def three(place: Path, stops: ExitStack) -> None:
    """Our three members beside three of etcd, with and without our etcd engine before them."""
    servers = processes.etcd(place / "etcd", 3)
    ours = processes.members(place / "ours", 3)
    for group in (servers, ours):
        stops.callback(group.stop)
        group.start()
    leader = await calls.leader(servers, of_etcd=True)
    engine = processes.members(place / "engine", 1, processes.etcd_target(servers, leader))
    stops.callback(engine.stop)
    engine.start()
    own = await connected(ours)
    others = {
        KV: calls.Etcd(servers.addresses[leader - 1], calls.tls(servers)),
        COMMIT: await connected(engine),
    }
    await measure(others, own)
    emit("raft.retried", own.retried, "calls")
    for level, writer in others.items():
        emit(f"raft.{level}.etcd.retried", writer.retried, "calls")
    for writer in (*others.values(), own):
        await writer.close()


async def one(place: Path, stops: ExitStack) -> None:
    """A member that is alone."""
    group = processes.members(place / "one", 1)
    stops.callback(group.stop)
    group.start()
    writer = await connected(group)
    await alone(writer)
    await writer.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        for part in (three, one):
            with ExitStack() as stops:
                uvloop.run(part(Path(folder), stops))


if __name__ == "__main__":
    main()
