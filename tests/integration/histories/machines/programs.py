"""Processes on the machines of a lab: started, signalled, killed, started again on their disks."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast.api import ready
from tests.integration.histories.machines.lab import ROOT, Lab

READY_S = 60.0
STOP_S = 10.0
LOG_TAIL = 3_000


class Program:
    """One process. announces: it says when it serves, as control nodes do."""

    def __init__(
        self, lab: Lab, host: str, argv: list[str], log: Path, *, announces: bool = False
    ) -> None:
        self.host = host
        self.argv = argv
        self._lab = lab
        self._log = log
        self._announces = announces
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = -1
        self._paused = False

    def start(self) -> None:
        """Start it; `wait_ready` waits until it serves."""
        assert self._process is None
        environment = dict(os.environ)
        theirs: tuple[int, ...] = ()
        if self._announces:
            self._ready, there = os.pipe()
            environment[ready.VARIABLE] = str(there)
            theirs = (there,)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._lab.entering(self.host), *self.argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env=environment, pass_fds=theirs,
            )  # fmt: skip
        for number in theirs:
            os.close(number)

    def wait_ready(self) -> None:
        """Wait until it says that it serves; at once for one that never says it."""
        if not self._announces:
            return
        readable, _, _ = select.select([self._ready], [], [], READY_S)
        said = os.read(self._ready, 1) if readable else b""
        assert said, f"{self.host} does not serve:\n{self.log}"
        self._forget_ready()

    def _forget_ready(self) -> None:
        if self._ready >= 0:
            os.close(self._ready)
            self._ready = -1

    @property
    def log(self) -> str:
        """The end of what it logged."""
        return self._log.read_text(errors="replace")[-LOG_TAIL:] if self._log.exists() else ""

    def said(self, event: str) -> Iterator[dict[str, Any]]:
        """The lines of its log about one kind of event, over all its lives."""
        for line in self._log.read_text(errors="replace").splitlines():
            if f'"event":"{event}"' in line and line.endswith("}"):
                yield json.loads(line)

    @property
    def runs(self) -> bool:
        """It was started and has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        """SIGSTOP."""
        if self.runs:
            self._signal(signal.SIGSTOP)
            self._paused = True

    def go_on(self) -> None:
        """SIGCONT, if it was paused."""
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process:
            self._process.kill()
            self._ended()

    def stop(self) -> None:
        """End it in good order."""
        if self._process is None:
            return
        self.go_on()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.host} does not stop on SIGTERM:\n{self.log}") from None
        self._ended()

    def _ended(self) -> None:
        assert self._process
        self._process.wait()
        self._process = None
        self._paused = False
        self._forget_ready()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)
