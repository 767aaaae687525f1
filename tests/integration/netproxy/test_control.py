"""With a real control node: a change of endpoints reaches the kernel; without it, all goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from holdfast.api import ready
from tests.integration.netproxy.lab import PODS, Lab

pytestmark = pytest.mark.integration

APPLIED_MAX_S = 0.1
"""Half of the changes at least: from the write to the first connection to the new target."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


class Programs:
    """Programs of this project in node 1's namespace."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._enter = ["nsenter", f"--net=/run/netns/{lab.name('n1')}", sys.executable, "-m"]
        self._directory = directory
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, program: str, *flags: str, wait: bool = True) -> subprocess.Popen[bytes]:
        reading, writing = os.pipe()
        with (self._directory / f"{program}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self._enter, program, *flags],
                stderr=log,
                pass_fds=[writing],
                env={**os.environ, ready.VARIABLE: str(writing)},
            )
        os.close(writing)
        self.running.append(process)
        if wait:
            assert os.read(reading, 1) == b"1", (self._directory / f"{program}.log").read_text()
        os.close(reading)
        return process

    def output(self, module: str, *arguments: str) -> str:
        done = subprocess.run(
            [*self._enter, module, *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@pytest.fixture
def programs(lab: Lab, tmp_path: Path) -> Iterator[Programs]:
    made = Programs(lab, tmp_path)
    yield made
    made.stop()


async def test_endpoints_reach_the_kernel_and_outlive_the_control_plane(
    lab: Lab, programs: Programs, tmp_path: Path
) -> None:
    config, directory = tmp_path / "kubeconfig", tmp_path / "node"
    directory.mkdir()
    control = programs.start(
        *("holdfast.control", "--data-dir", str(tmp_path / "control")),
        *("--kubeconfig", str(config)),
    )
    programs.start(
        *("holdfast.netproxy", "--name", "n1", "--dir", str(directory), "--node-ip", "10.99.0.1"),
        wait=False,
    )
    local = {pod: address for pod, (node, address) in PODS.items() if node == "n1"}
    async with AsyncExitStack() as servers:
        for pod in local:
            await servers.enter_async_context(await lab.serve(pod, 8080))
        # In a thread, while this loop serves the pods.
        targets = [f"{pod}={address}" for pod, address in local.items()]
        module = "tests.integration.netproxy.admin"
        text = await asyncio.to_thread(
            programs.output, module, str(config), str(directory), *targets
        )
        said = json.loads(text)
        assert statistics.median(said["moves_s"]) <= APPLIED_MAX_S
        control.kill()
        control.wait(10)
        assert (await lab.ask("n1", said["address"], 80))[0] in local
