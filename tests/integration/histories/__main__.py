"""The clients of a run as one process, in a namespace from which all control nodes are reached;
and runs by hand.

    python -m tests.integration.histories play KUBECONFIG SEED VOTERS FILE ADDRESS...
    python -m tests.integration.histories token KUBECONFIG FILE
    python -m tests.integration.histories etcd TARGET FILE
    python -m tests.integration.histories run ENGINE SCENARIO SEED DIRECTORY
    python -m tests.integration.histories judge DIRECTORY

`play` waits until all members are voters and says "began"; on "leader" on its standard input it
says "leader N" (0: nobody), on "end" (all faults are over) it sweeps, writes FILE and ends.
`token` writes a token with which a control node joins.
`etcd` writes what an etcd holds that no control node uses any more. `run` is one whole run, as the
tests do it (as root); `judge` judges once more what a failed one left in DIRECTORY.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
import uvloop

from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.cli import access
from tests.integration.histories import scene
from tests.integration.histories.clients.play import Play
from tests.integration.histories.disks import read_etcd
from tests.integration.histories.faults import Scenario
from tests.integration.histories.judging import judge
from tests.integration.histories.ledger import decode, decode_disk, encode, encode_disk

TOKEN_S = 600


def say(text: str) -> None:
    """One line to who started this process."""
    os.write(1, text.encode() + b"\n")


def keep(file: str, text: str) -> None:
    """What this process was started for."""
    Path(file).write_text(text)


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def play(path: str, seed: str, voters: str, file: str, *addresses: str) -> None:
    """See the module."""
    lines = await _lines()
    endpoint = kubeconfig.load((Path(path),))
    here = Play(endpoint, dict(enumerate(addresses, 1)), int(seed), int(voters))
    try:
        await here.begin()
        say("began")
        while (line := (await lines.readline()).strip()) not in (b"end", b""):
            if line == b"leader":
                say(f"leader {await here.leader()}")
        await here.end()
        keep(file, encode(here.ledger))
    finally:
        await here.close()


async def token(path: str, file: str) -> None:
    """See the module."""
    async with Client.connect(kubeconfig.load((Path(path),))) as client:
        text = await access.create_token(client, "histories", TOKEN_S, control=True)
        keep(file, text)


async def etcd(target: str, file: str) -> None:
    """See the module."""
    keep(file, encode_disk(await read_etcd(target)))


def run(engine: str, scenario: str, seed: str, directory: str) -> None:
    """See the module."""
    report = scene.run(engine, Scenario(scenario), int(seed), Path(directory))
    say(str(report))
    sys.exit(bool(report.wrong))


def judge_again(directory: str) -> None:
    """See the module."""
    files = Path(directory).glob("disk-*.json")
    disks = {int(one.stem.removeprefix("disk-")): decode_disk(one.read_text()) for one in files}
    for sentence in judge(decode((Path(directory) / "history.jsonl").read_text()), disks):
        say(sentence)


BY_HAND: dict[str, Callable[..., None]] = {"run": run, "judge": judge_again}
IN_NAMESPACE: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "play": play,
    "token": token,
    "etcd": etcd,
}

if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    verb, *rest = sys.argv[1:]
    if verb in BY_HAND:
        BY_HAND[verb](*rest)
    else:
        uvloop.run(IN_NAMESPACE[verb](*rest))
