"""A cluster of hollow nodes for a bench: started by `holdfast up`, as anybody would, and purged.

Figures of the control process come from where an operator would look: /proc and /metrics.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PORT = 17444
METRIC = re.compile(r"^(\w+)(?:\{le=\"([^\"]+)\"\})? ([-+.\deInf]+)$")


@dataclass(frozen=True)
class Cluster:
    """A running cluster. data_dir holds its kubeconfig."""

    data_dir: Path

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "admin.kubeconfig"

    def process(self, program: str) -> psutil.Process:
        """The process of a program of this cluster."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if f"holdfast.{program}" in words and any(str(self.data_dir) in word for word in words):
                return process
        raise RuntimeError(f"no {program} process runs in {self.data_dir}")

    def metrics(self) -> dict[str, dict[str, float]]:
        """/metrics of the control process: name → bucket ("" for a plain value) → value."""
        found: dict[str, dict[str, float]] = {}
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT + 2}/metrics", timeout=10) as reply:
            for line in reply.read().decode().splitlines():
                if match := METRIC.match(line):
                    found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
        return found


def lag_p99_s(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> float:
    """The loop lag that 99 % of the samples between two readings did not exceed (upper bound of
    its bucket, interpolated inside it)."""
    name = "holdfast_loop_lag_seconds_bucket"
    counts = {bound: after[name][bound] - before[name][bound] for bound in after[name]}
    wanted = 0.99 * counts["+Inf"]
    lower, below = 0.0, 0.0
    for bound, count in counts.items():
        if count >= wanted:
            upper = lower if bound == "+Inf" else float(bound)
            return lower + (upper - lower) * (wanted - below) / max(1.0, count - below)
        lower, below = float(bound), count
    return lower


@contextlib.contextmanager
def hollow(nodes: int, control: int = 1) -> Iterator[Cluster]:
    """A cluster of this many simulated nodes, all Ready, and control nodes; removed at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="hf-bench-"))
    where = ["--data-dir", str(data_dir)]
    argv = [sys.executable, "-m", "holdfast.cli.main"]
    up = [*argv, "up", "--detach", "--runtime", "hollow", "--nodes", str(nodes), *where]
    up += ["--control", str(control)]
    try:
        subprocess.run([*up, "--port", str(PORT)], check=True, stdout=sys.stderr)
        yield Cluster(data_dir)
    finally:
        subprocess.run([*argv, "down", "--purge", *where], check=False, stdout=sys.stderr)
        shutil.rmtree(data_dir, ignore_errors=True)
