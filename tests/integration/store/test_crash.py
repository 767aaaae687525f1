"""Real processes killed under writes: what was acknowledged is there; and the order of system
calls that makes it so."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from secrets import randbelow
from typing import NamedTuple

import pytest

from holdfast.control.store.commands import Key
from holdfast.control.store.raft_engine import RaftEngine

pytestmark = pytest.mark.integration

KILLS = 50
WORKLOAD = (sys.executable, "-m", "tests.integration.store.workload")


def run_and_kill(path: Path, seed: int, rng: random.Random) -> dict[str, int]:
    """The writes acknowledged until a SIGKILL at a random point."""
    process = subprocess.Popen(
        [*WORKLOAD, str(path), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    lines: list[bytes] = []
    with process.stdout as output:
        try:
            assert output.readline() == b"started\n"
            ends = time.monotonic() + rng.uniform(0.0, 0.15)
            while time.monotonic() < ends:
                lines.append(output.readline())
        finally:
            process.kill()
            lines += output.readlines()
            process.wait()
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return {name: int(revision) for name, revision in whole}


@pytest.mark.timeout(180)
async def test_killed_fifty_times_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    rng = random.Random(3)
    acknowledged: dict[str, int] = {}
    for seed in range(KILLS):
        acknowledged |= run_and_kill(tmp_path, seed, rng)
    engine = RaftEngine(tmp_path, randbelow)
    await engine.start()
    lost = [
        name
        for name, revision in acknowledged.items()
        if (row := engine.row(Key("pods", "", name))) is None or row.revision != revision
    ]
    await engine.stop()
    assert len(acknowledged) > 1_000
    assert len(set(acknowledged.values())) == len(acknowledged)
    assert not lost


@pytest.mark.skipif(
    not shutil.which("strace") and os.geteuid() != 0, reason="strace is not installed"
)
def test_no_write_is_acknowledged_before_its_sync_returned(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [
        "strace", "-f", "-y", "-s", "5000", "-o", str(trace),
        "-e", "trace=write,pwrite64,fsync,fdatasync",
        *WORKLOAD, str(tmp_path / "data"), "1", "300",
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=50, stdout=subprocess.DEVNULL)
    calls = read_trace(trace.read_text(errors="replace").splitlines())
    acknowledged = [
        (name, call.began)
        for call in calls
        if call.name == "write" and call.text.startswith("1<")
        for name in re.findall(r"(1-\d+-\d+-\d+) \d+\\n", call.text)
    ]
    assert len(acknowledged) >= 300
    early = [name for name, at in acknowledged if not durable(name, at, calls)]
    assert not early, f"acknowledged before they were synced: {early[:5]}"


class Call(NamedTuple):
    """One system call: its arguments, and the lines of the trace where it began and returned."""

    name: str
    text: str
    began: int
    returned: int


def read_trace(lines: list[str]) -> list[Call]:
    """The calls of a trace by `strace -f`, in the order they began."""
    calls: list[Call] = []
    unfinished: dict[str, int] = {}
    for number, line in enumerate(lines):
        process, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.startswith("<... "):
            at = unfinished.pop(process)
            calls[at] = calls[at]._replace(returned=number)
            continue
        name, mark, text = rest.partition("(")
        if not mark or not name.isalnum():
            continue
        ends = not rest.endswith("<unfinished ...>")
        if not ends:
            unfinished[process] = len(calls)
        calls.append(Call(name, text, number, number if ends else sys.maxsize))
    return calls


def durable(name: str, at: int, calls: list[Call]) -> bool:
    """Was the log written with this name, then a sync of the log begun, and had it returned,
    before line `at`?"""
    logged = [
        call.returned
        for call in calls
        if call.name == "pwrite64" and "store.db-wal" in call.text and f"[{name}]" in call.text
    ]
    return any(
        min(logged) < call.began and call.returned < at
        for call in calls
        if logged and call.name in ("fsync", "fdatasync") and "store.db-wal" in call.text
    )
