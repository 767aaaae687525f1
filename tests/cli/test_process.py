"""The command as a process: signals, closed pipes, what it loads."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.running import Cluster

SLOW_TO_LOAD = {
    "rich",
    "structlog",
    "cryptography",
    "numpy",
    "prometheus_client",
    "dns",
    "jsonpatch",
}


def test_interrupted_it_says_nothing_and_exits_130(started: Cluster) -> None:
    with started.process("get", "namespaces", "-w") as process:
        assert process.stdout is not None and process.stderr is not None
        ready, _, _ = select.select([process.stdout], [], [], 10)
        assert ready, "it printed nothing"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.strip() == ""


def test_a_closed_pipe_is_no_error(started: Cluster) -> None:
    with started.process("explain", "deployments", "--recursive") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert "Traceback" not in err and "BrokenPipe" not in err
    assert err == ""


def test_a_full_disk_is_one_sentence(started: Cluster) -> None:
    argv = [sys.executable, "-m", "holdfast.cli.main", "explain", "pods"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith(b"error: No space left on device")
    assert b"Traceback" not in done.stderr


def test_words_that_are_no_utf8(started: Cluster) -> None:
    argv: list[str | bytes] = [sys.executable, "-m", "holdfast.cli.main", "get", "pod", b"\xff"]
    done = subprocess.run(argv, env=started.environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr == b"error: '\\udcff' is not UTF-8 text\n"


def test_a_table_loads_nothing_it_does_not_need(started: Cluster) -> None:
    """What `get pods` costs before it asks: half a second is promised, libraries would eat it."""
    script = (
        "import sys, json\n"
        "from holdfast.cli.main import cli\n"
        "try:\n    cli.main(['get', 'pods'])\n"
        "except SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    environment = {**os.environ, **started.environment}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not loaded & SLOW_TO_LOAD
    assert "holdfast.api.codec.decode" not in loaded
