"""One run: control nodes on a lab, clients, faults for a while, the end, the judgement.

Everything random is drawn from the seed, but real processes keep their own time: a seed gives the
same faults, not the same history. What a failed run leaves for the reader stands in `keep`.
"""

from __future__ import annotations

import contextlib
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.histories.faults import Scenario, Trouble
from tests.integration.histories.judging import judge, judge_leaders
from tests.integration.histories.ledger import Ledger, decode, encode_disk
from tests.integration.histories.machines.groups import PORT, EtcdGroup, Group, RaftGroup
from tests.integration.histories.machines.lab import OUTSIDE, ROOT, Lab, lab

FAULTS_S = 12.0
"""Faults go on for so long; a fault that has begun is held to its end."""
REST_S = (0.5, 2.5)
ANSWER_S = 10.0
BEGIN_S = 60.0
END_S = 60.0

HOSTS = {
    "single": ("control-1",),
    "raft": ("control-1", "control-2", "control-3"),
    "etcd": ("control-1", "control-2", "etcd-1", "etcd-2", "etcd-3"),
}


@dataclass
class Report:
    """What a run found. counts: what clients met. leaders: who led in which term. wrong: one
    sentence a violation."""

    seed: int
    faults: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    leaders: list[tuple[int, str]] = field(default_factory=list)
    operations: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)


def run(engine: str, scenario: Scenario, seed: int, keep: Path) -> Report:
    """Run one scenario. engine: a name of HOSTS. keep: a directory that gets the history, what is
    on the disks, and the logs. How the run itself failed is raised."""
    report = Report(seed)
    keep.mkdir(parents=True, exist_ok=True)
    with lab(HOSTS[engine]) as here:
        group: Group = EtcdGroup(here) if engine == "etcd" else RaftGroup(here)
        try:
            ledger = _act(here, group, scenario, report)
            disks = group.read()
            report.leaders = [
                (line["term"], one.host) for one in group.controls for line in one.said("leads")
            ]
        finally:
            group.kill()
            for path in here.directory.iterdir():
                if path.suffix in (".log", ".jsonl"):
                    shutil.copy(path, keep)
    for member, disk in disks.items():
        (keep / f"disk-{member}.json").write_text(encode_disk(disk))
    report.operations = len(ledger.history.operations)
    report.answered = sum(one.known for one in ledger.history.operations)
    report.counts = ledger.counts
    report.wrong += judge(ledger, disks)
    report.wrong += judge_leaders(report.leaders)
    return report


def _act(here: Lab, group: Group, scenario: Scenario, report: Report) -> Ledger:
    """All acts; the clients' ledger."""
    rng = random.Random(report.seed)
    group.start()
    history = here.directory / "history.jsonl"
    with _clients(here, group, report.seed, history) as clients:
        clients.hear("began", BEGIN_S)
        _trouble(here, group, scenario, rng, clients, report)
        clients.say("end")
        clients.ended(END_S)
    group.stop()
    return decode(history.read_text())


def _trouble(
    here: Lab, group: Group, scenario: Scenario, rng: random.Random, clients: Clients,
    report: Report,
) -> None:  # fmt: skip
    trouble = Trouble(here, group, rng, clients.leader)
    begins = time.monotonic()
    ends = begins + FAULTS_S
    while time.monotonic() < ends:
        clients.go_on_for(rng.uniform(*REST_S))
        fault = trouble.next(scenario)
        report.faults.append(f"{time.monotonic() - begins:.1f} s: {fault.what}")
        try:
            clients.go_on_for(fault.hold_s)
        finally:
            fault.undo()
        _revive(group, report)


def _revive(group: Group, report: Report) -> None:
    """Start who ended by itself. A control node has no reason to; etcd does on a full disk."""
    for program in dict.fromkeys((*group.controls, *group.stores)):
        if program.runs:
            continue
        if program in group.controls:
            report.wrong.append(f"P: {program.host} ended by itself: {program.log[-600:]}")
        program.kill()
        program.start()


class Clients:
    """The client process of a run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, line: str) -> None:
        """Tell it something."""
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self, word: str, for_s: float) -> str:
        """Its next line, which begins with this word: the rest of it."""
        assert self._process.stdout
        readable, _, _ = select.select([self._process.stdout], [], [], for_s)
        line = self._process.stdout.readline() if readable else ""
        assert line.startswith(word), f"the clients said {line!r}, not {word!r}"
        return line.removeprefix(word).strip()

    def leader(self) -> int:
        """The number of the control node that leads, 0 = nobody."""
        self.say("leader")
        return int(self.hear("leader", ANSWER_S))

    def go_on_for(self, length_s: float) -> None:
        """Let time pass, unless it ends."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(length_s)
            raise AssertionError("the clients ended early")

    def ended(self, for_s: float) -> None:
        """Wait for its end in good order."""
        assert self._process.wait(for_s) == 0, "the clients failed"


@contextlib.contextmanager
def _clients(here: Lab, group: Group, seed: int, history: Path) -> Iterator[Clients]:
    addresses = [f"{here.address(one.host)}:{PORT}" for one in group.controls]
    argv = [
        *here.entering(OUTSIDE), sys.executable, "-m", "tests.integration.histories", "play",
        str(group.kubeconfig), str(seed), str(group.voters), str(history), *addresses,
    ]  # fmt: skip
    log = here.directory / "clients.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        )
    with process:
        try:
            yield Clients(process)
        except AssertionError as error:
            process.kill()
            raise AssertionError(f"{error}\n{log.read_text()[-3_000:]}") from None
        finally:
            process.kill()
