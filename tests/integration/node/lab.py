"""A containerd of our own for tests: its own root, state, socket and network namespace.

Nothing of it is left afterwards: pods, shims, mounts, namespaces and control groups are looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from holdfast.node.agent import network
from holdfast.runtime import containerd
from holdfast.runtime.cri import CriRuntime
from holdfast.runtime.images import install

POD_CIDR = "10.244.7.0/24"


class Machine:
    """A network namespace with a containerd. directory: everything it keeps."""

    def __init__(self, directory: Path, namespace: str) -> None:
        self.directory = directory
        self.namespace = namespace
        self.containerd = containerd.layout(directory / "containerd")
        self.cgroup_root = f"/{namespace}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def netns(self) -> Path:
        return Path("/run/netns") / self.namespace

    def inside(self, *argv: str) -> list[str]:
        """A command line that runs in the namespace."""
        return ["nsenter", f"--net={self.netns}", "--", *argv]

    def start(self) -> None:
        """Start containerd and wait until it serves."""
        where = self.containerd
        config = self.directory / "containerd" / "config.toml"
        where.root.mkdir(parents=True, exist_ok=True)
        config.write_text(containerd.config(where, containerd.abilities(where.root)))
        with (self.directory / "containerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                containerd.command(config, self.netns), stdout=log, stderr=log
            )
        (self.directory / "containerd.pid").write_text(str(self._process.pid))
        asyncio.run(containerd.wait_ready(where.socket, 20))

    def stop(self) -> None:
        """End containerd; containers run on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    async def remove_pods(self) -> None:
        runtime = CriRuntime(self.containerd.socket)
        for sandbox in await runtime.list_sandboxes():
            await runtime.stop_sandbox(sandbox.id)
            await runtime.remove_sandbox(sandbox.id)
        await runtime.close()


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """A machine with our images and a pod network; taken away at the end."""
    directory = Path(tempfile.mkdtemp(prefix="hfn-"))
    here = Machine(directory, directory.name)
    subprocess.run(["ip", "netns", "add", here.namespace], check=True)
    try:
        subprocess.run(["ip", "-n", here.namespace, "link", "set", "lo", "up"], check=True)
        text = network.configuration(POD_CIDR, "hf0", directory / "cni")
        network.write(here.containerd.cni_conf_dir, text)
        here.start()
        asyncio.run(install.ensure(here.containerd.socket))
        try:
            yield here
        finally:
            asyncio.run(here.remove_pods())
    finally:
        here.stop()
        subprocess.run(["ip", "netns", "delete", here.namespace], check=True)
        _remove_cgroups(here.cgroup_root)
        for mount in _mounts(directory):
            subprocess.run(["umount", "-l", mount], check=False)
        left = list(_left(directory))
        shutil.rmtree(directory)
    assert not left, left


def _mounts(directory: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in reversed(lines) if f" {directory}/" in line]


def _left(directory: Path) -> Iterator[str]:
    """Processes that belong to the machine; they have a moment to end."""
    deadline = time.monotonic() + 3
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(directory).encode() in path.read_bytes():
                    found.append(path.read_bytes().decode(errors="replace"))
        if not found or time.monotonic() > deadline:
            yield from found
            return
        time.sleep(0.05)


def _remove_cgroups(root: str) -> None:
    for controller in Path("/sys/fs/cgroup").iterdir():
        top = controller / root.strip("/")
        if not top.is_dir():
            continue
        below = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for path in [*below, top]:
            with contextlib.suppress(OSError):
                path.rmdir()
