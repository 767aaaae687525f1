"""A control node with two hollow nodes, in processes of their own, and verbs run against it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from click.testing import CliRunner

from holdfast.cli.main import cli

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
"""Between two looks at what other processes do, which need the processor to do it."""
NODES = ("node-0", "node-1")


@dataclass(frozen=True)
class Result:
    """What a command line answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True)
class Cluster:
    """Where the cluster is. namespace: of the context in the kubeconfig."""

    kubeconfig: Path
    port: int
    namespace: str = "default"

    def inside(self, namespace: str) -> Cluster:
        """The same with a namespace of its own, made now."""
        self.run("create", "namespace", namespace)
        tree = yaml.safe_load(self.kubeconfig.read_text())
        tree["contexts"][0]["context"]["namespace"] = namespace
        path = self.kubeconfig.with_name(f"{namespace}.kubeconfig")
        path.write_text(yaml.safe_dump(tree))
        return replace(self, kubeconfig=path, namespace=namespace)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def attempt(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run `holdfast …` in this process, as a script would see it."""
        environment = {"KUBECONFIG": str(self.kubeconfig)}
        ran = CliRunner().invoke(cli, arguments, input=stdin, env=environment)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        assert "Traceback" not in ran.output
        return Result(ran.exit_code, ran.stdout, ran.stderr)

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> str:
        """Standard output of a command that must succeed."""
        result = self.attempt(*arguments, stdin=stdin)
        assert result.code == 0, f"holdfast {' '.join(arguments)}: {result.err}{result.out}"
        return result.out

    def refused(self, *arguments: str, stdin: str | bytes | None = None, code: int = 1) -> str:
        """The error sentence of a command that must fail with this exit code."""
        result = self.attempt(*arguments, stdin=stdin)
        assert result.code == code, f"{result.code}: {result.err}{result.out}"
        assert result.err.startswith("error: "), result.err
        return result.err.removeprefix("error: ").strip()

    def eventually(self, part: str, *arguments: str) -> str:
        """Standard output of a command, asked again until it holds this part."""
        _until(lambda: part in self.run(*arguments), part)
        return self.run(*arguments)

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """The same as a process of its own."""
        argv = [sys.executable, "-m", "holdfast.cli.main", *arguments]
        return subprocess.Popen(
            argv,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[Cluster]:
    """Start it, wait until both nodes are Ready, end it."""
    found = Cluster(directory / "admin.kubeconfig", _free_port())
    nodes = directory / "nodes"
    nodes.mkdir()
    token = nodes / "join-token"
    with contextlib.ExitStack() as ending:
        flags = ["--data-dir", str(directory / "control"), "--port", str(found.port)]
        _start(ending, directory, "control", *flags, "--kubeconfig", str(found.kubeconfig))
        _until(found.kubeconfig.exists, "the control node serves")
        token.write_text(found.run("token", "create"))
        flags = ["--hollow", str(len(NODES)), "--name", "node", "--hollow-speed", "20"]
        flags += ["--dir", str(nodes), "--join-file", str(token)]
        _start(ending, directory, "node", *flags, "--server", f"127.0.0.1:{found.port + 1}")
        _until(lambda: found.run("get", "nodes").count(" Ready ") == len(NODES), "nodes are Ready")
        yield found


def _start(ending: contextlib.ExitStack, directory: Path, program: str, *flags: str) -> None:
    with (directory / f"{program}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", f"holdfast.{program}", *flags], stdout=log, stderr=log
        )
    ending.callback(_stop, child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for one that does not end."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {START_TIMEOUT_S} s: {what}"
        time.sleep(POLL_S)


def _free_port() -> int:
    """A port that is free, as are those after it that a control node uses."""
    while True:
        with contextlib.ExitStack() as held:
            first, second, third = (held.enter_context(socket.socket()) for _ in range(3))
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 3))
                return port
