"""Durable writes through the API: one load process, 8 mutual-TLS connections.

Single creates of a 1 kB ConfigMap with 64 in flight; batches of 100 ConfigMaps; batches of 100
full pods, of one spec as a controller makes them, and of specs that all differ. Every acknowledged
object is on disk. Beside them, in the same run, what this machine does at that moment: rows of
1 kB through SQLite with one fsync a transaction of 64, and the interpreter's own speed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from bench import cluster
from bench.figures import emit, python_speed
from bench.load import full_pod, varied_pod
from holdfast.api import kubeconfig
from holdfast.api.client import Client, Write, WriteVerb
from holdfast.api.core.v1 import core_pb2

CONNECTIONS = 8
IN_FLIGHT = 64
RUNS = 3
SECONDS = 4.0
BATCH = 100


def config_map(name: str) -> core_pb2.ConfigMap:
    """A ConfigMap of about 1 kB."""
    message = core_pb2.ConfigMap()
    message.metadata.name, message.metadata.namespace = name, "default"
    message.data["value"] = "x" * 960
    return message


async def singles(clients: list[Client], prefix: str) -> float:
    """Creates a second, 64 in flight."""
    count = 0
    ends = time.monotonic() + SECONDS

    async def worker(number: int) -> None:
        nonlocal count
        client = clients[number % CONNECTIONS]
        made = 0
        while time.monotonic() < ends:
            await client.create("configmaps", config_map(f"{prefix}-{number}-{made}"), "default")
            made += 1
            count += 1

    started = time.monotonic()
    await asyncio.gather(*(worker(number) for number in range(IN_FLIGHT)))
    return count / (time.monotonic() - started)


async def batches(
    clients: list[Client], prefix: str, resource: str, make: Callable[[str], Any]
) -> float:
    """Objects a second in batches of 100, one in flight a connection."""
    count = 0
    ends = time.monotonic() + SECONDS

    async def worker(number: int) -> None:
        nonlocal count
        made = 0
        while time.monotonic() < ends:
            names = [f"{prefix}-{number}-{made + index}" for index in range(BATCH)]
            writes = [Write(WriteVerb.CREATE, resource, make(name)) for name in names]
            outcomes = await clients[number].batch(writes)
            refused = [outcome.error for outcome in outcomes if outcome.error]
            if refused:
                raise refused[0]
            made += BATCH
            count += BATCH

    started = time.monotonic()
    await asyncio.gather(*(worker(number) for number in range(CONNECTIONS)))
    return count / (time.monotonic() - started)


def disk_rows_per_s() -> float:
    """The reference: 1 kB rows in SQLite, 64 a transaction, WAL and a full sync each."""
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        database = sqlite3.connect(Path(folder) / "rows.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)")
        rows, ends = 0, time.monotonic() + 1.0
        while time.monotonic() < ends:
            database.execute("BEGIN")
            values = [(b"x" * 1000,)] * IN_FLIGHT
            database.executemany("INSERT INTO rows (value) VALUES (?)", values)
            database.execute("COMMIT")
            rows += IN_FLIGHT
        database.close()
        return float(rows)


async def measure(here: cluster.Cluster) -> dict[str, list[float]]:
    """Every figure RUNS times, beside the reference."""
    endpoint = kubeconfig.load((here.kubeconfig,))
    clients = [Client.connect(endpoint) for _ in range(CONNECTIONS)]
    found: dict[str, list[float]] = {}

    def keep(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    # Pods last: those that fit nowhere are tried again while the others would be measured.
    for run in range(RUNS):
        keep("reference.sqlite_rows_per_s", await asyncio.to_thread(disk_rows_per_s))
        keep("reference.python_sums_per_s", await asyncio.to_thread(python_speed))
        keep("creates_per_s", await singles(clients, f"single-{run}"))
        rate = await batches(clients, f"map-{run}", "configmaps", config_map)
        keep("batched_configmaps_per_s", rate)
    for run in range(RUNS):
        for figure, make in (("batched_pods", full_pod), ("batched_varied_pods", varied_pod)):
            rate = await batches(clients, f"{make.__name__.replace('_', '-')}-{run}", "pods", make)
            keep(f"{figure}_per_s", rate)
    for client in clients:
        await client.close()
    return found


def main() -> None:
    with cluster.hollow(1) as here:
        found = uvloop.run(measure(here))
    for name, values in found.items():
        emit(f"store.{name}", values, "/s")


if __name__ == "__main__":
    main()
