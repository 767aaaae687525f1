"""A process that writes and says what was acknowledged; the crash tests run and kill it.

    python -m tests.integration.store.workload DIRECTORY SEED [WRITES]

Each acknowledged write is one line "name revision" on standard output, by one os.write after
the answer. Every value says its object's name, so a trace of system calls can find it. After
WRITES acknowledged writes (without it: never) the process ends without closing anything.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from pathlib import Path
from secrets import randbelow

import structlog
import uvloop

from holdfast.control.store.commands import ABSENT, Commit, Key, Write
from holdfast.control.store.raft_engine import RaftEngine

WRITERS = 4
LARGE_SHARE = 0.01


async def write_on(engine: RaftEngine, name: str, rng: random.Random, left: list[int]) -> None:
    """Create objects, singly or in batches, and say each that is acknowledged."""
    for number in itertools.count():
        count = 300 if rng.random() < LARGE_SHARE else rng.choice((1, 1, 1, 5))
        writes = []
        for at in range(count):
            key = Key("pods", "", f"{name}-{number}-{at}")
            value = f"[{key.name}]".encode() * 3 + rng.randbytes(rng.choice((10, 2000)))
            writes.append(Write(key, value, ABSENT))
        result = await engine.commit(Commit(b"", writes))
        lines = [
            f"{write.key.name} {one.revision}\n"
            for write, one in zip(writes, result.outcomes, strict=True)
        ]
        os.write(1, "".join(lines).encode())
        left[0] -= count
        if left[0] <= 0:
            os._exit(0)


async def main(path: Path, seed: int, writes: int) -> None:
    """Open, say so, and write until killed or done."""
    engine = RaftEngine(path, randbelow, cluster_id="crash")
    await engine.start()
    os.write(1, b"started\n")
    left = [writes]
    writers = [
        write_on(engine, f"{seed}-{n}", random.Random(seed * 100 + n), left) for n in range(WRITERS)
    ]
    await asyncio.gather(*writers, compact_on(engine))


async def compact_on(engine: RaftEngine) -> None:
    """Move the floor along, so that kills fall into compaction too."""
    while True:
        await asyncio.sleep(0.02)
        await engine.compact(engine.revision - 500)


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    directory, seed, *limit = sys.argv[1:]
    uvloop.run(main(Path(directory), int(seed), int(limit[0]) if limit else sys.maxsize))
