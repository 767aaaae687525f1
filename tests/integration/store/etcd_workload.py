"""A control node's store as a process: it leads if it can, writes, and says what was acknowledged.

    python -m tests.integration.store.etcd_workload ADDRESS NAME

Lines on standard output: "started", "leads TERM", "lost", "wrote OBJECT REVISION" after each
acknowledgement, "unknown OBJECT" for a write of which it does not know, and "refused OBJECT".
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

import structlog
import uvloop

from holdfast.control.store.commands import ABSENT, Commit, Key, Write
from holdfast.control.store.engine import StoreError, UnknownOutcomeError
from holdfast.control.store.etcd.engine import EtcdEngine, Standing
from holdfast.control.store.etcd.target import parse

WRITERS = 4
PAUSE_S = 0.02


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


async def write_on(engine: EtcdEngine, leads: asyncio.Event, name: str) -> None:
    """Create objects, one after the other, while this process leads."""
    for number in itertools.count():
        await leads.wait()
        key = Key("pods", "", f"{name}-{number}")
        try:
            result = await engine.commit(Commit(b"", (Write(key, b"v" * 200, ABSENT),)))
        except UnknownOutcomeError:
            say(f"unknown {key.name}")
        except StoreError:
            say(f"refused {key.name}")
            await asyncio.sleep(PAUSE_S)
        else:
            say(f"wrote {key.name} {result.revision}")


async def main(address: str, name: str) -> None:
    engine = EtcdEngine(parse(address), new_cluster_id="crash", name=name)
    leads = asyncio.Event()

    def moved(standing: Standing) -> None:
        if standing.leads:
            leads.set()
            say(f"leads {standing.term}")
        elif leads.is_set():
            leads.clear()
            say("lost")

    engine.watch(moved)
    await engine.start()
    say("started")
    await asyncio.gather(*(write_on(engine, leads, f"{name}-{n}") for n in range(WRITERS)))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(*sys.argv[1:]))
