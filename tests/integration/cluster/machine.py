"""A machine for a test: a network namespace with a loopback, in which `holdfast` runs.

Rules, addresses and routes of the cluster under test stay in there, so a cluster that runs on
the machine itself is not touched and nothing of ours is left when the namespace goes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMMAND_TIMEOUT_S = 120


class Machine:
    """Runs commands in the namespace, with HOLDFAST_DATA_DIR and KUBECONFIG set."""

    def __init__(self, namespace: str, data_dir: Path) -> None:
        self.namespace = namespace
        self.data_dir = data_dir

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOLDFAST_DATA_DIR": str(self.data_dir),
            "KUBECONFIG": str(self.data_dir / "admin.kubeconfig"),
        }

    def run(self, *argv: str, stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Standard output of a command that must succeed."""
        done = self.attempt(*argv, stdin=stdin, timeout_s=timeout_s)
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(
        self, *argv: str, stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """A command that may fail."""
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.namespace}", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment,
            timeout=timeout_s,
        )

    def holdfast(self, *arguments: str, stdin: str = "") -> str:
        """Standard output of `holdfast …`, which must succeed."""
        return self.run(str(ROOT / ".venv/bin/holdfast"), *arguments, stdin=stdin)

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """The one error sentence of a `holdfast …` that must fail without a traceback."""
        done = self.attempt(str(ROOT / ".venv/bin/holdfast"), *arguments, stdin=stdin)
        assert done.returncode != 0, f"{arguments} succeeded:\n{done.stdout}"
        text = done.stdout + done.stderr
        assert "Traceback" not in text, text
        assert text.strip(), "it failed without a word"
        return text

    def pids(self, program: str) -> list[int]:
        """The processes of a program of this cluster: "holdfast.control", "containerd"."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().decode(errors="replace").split("\0")
                ours = any(str(self.data_dir) in word for word in words)
                if ours and any(Path(word).name == program for word in words[:3]):
                    found.append(int(path.parent.name))
        return found

    def processes_of(self, pod_uid: str, command: bytes) -> list[int]:
        """The processes in a pod's cgroup whose command line holds these bytes."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ours = pod_uid in (folder / "cgroup").read_text()
                if ours and command in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found


@contextlib.contextmanager
def machine(name: str) -> Iterator[Machine]:
    """A machine that is taken away at the end, with a check that nothing is left."""
    namespace = f"hft-{name}-{os.getpid()}"
    data_dir = Path(tempfile.mkdtemp(prefix=f"hft-{name[:6]}-"))
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        here = Machine(namespace, data_dir)
        try:
            yield here
        finally:
            here.attempt(str(ROOT / ".venv/bin/holdfast"), "down", "--purge")
        assert_clean(here)
    finally:
        subprocess.run(["ip", "netns", "delete", namespace], check=True)
        subprocess.run(["rm", "-rf", str(data_dir)], check=True)


def assert_clean(here: Machine) -> None:
    """`down --purge` leaves no process, mount, namespace, rule, link or file."""
    assert not here.data_dir.exists(), list(here.data_dir.iterdir())
    mounts = Path("/proc/self/mounts").read_text()
    assert str(here.data_dir) not in mounts, mounts
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert str(here.data_dir).encode() not in path.read_bytes(), path
    rules = here.run("iptables-save")
    assert "HOLDFAST" not in rules, rules
    links = here.run("ip", "-o", "link")
    assert "holdfast" not in links and "veth" not in links, links
