"""Machines for a run, a network namespace each on a bridge in one of its own; what breaks them.

Addresses, links and rules are in the namespaces only and go with them. Dropped packets are
iptables rules in the namespace that shall not hear; small disks are tmpfs mounts.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[4]
NET = "10.77.0"
OUTSIDE = "clients"
"""The namespace with the bridge, where the clients are."""
COMMAND_S = 30.0
FILL_BYTES = 1 << 16


class Lab:
    """hosts: names of the machines; each has an address and, if asked for, a small disk."""

    def __init__(self, directory: Path, hosts: Sequence[str]) -> None:
        self.directory = directory
        self.hosts = tuple(hosts)
        self._tag = f"hfh{os.getpid()}"
        self._mounts: list[Path] = []

    def address(self, host: str) -> str:
        """The address of a machine."""
        return f"{NET}.{10 + self.hosts.index(host)}"

    def entering(self, host: str) -> list[str]:
        """The beginning of a command line that runs on a machine, and ends with this process."""
        return ["nsenter", f"--net=/run/netns/{self._name(host)}", "setpriv", "--pdeathsig", "KILL"]

    def run(self, host: str, *argv: str) -> str:
        """Standard output of a command on a machine, which must succeed."""
        done = subprocess.run(
            [*self.entering(host), *argv],
            capture_output=True, text=True, cwd=ROOT, timeout=COMMAND_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def deafen(self, host: str, *others: str) -> None:
        """A machine hears these no more; the other way goes on."""
        sources = ",".join(self.address(other) for other in others)
        self.run(host, "iptables", "-w", "-A", "INPUT", "-s", sources, "-j", "DROP")

    def heal(self) -> None:
        """Everybody hears everybody."""
        for host in self.hosts:
            self.run(host, "iptables", "-w", "-F", "INPUT")

    def small_disk(self, host: str, megabytes: int) -> Path:
        """A directory of a machine on a file system of its own."""
        path = self.directory / f"{host}-disk"
        path.mkdir()
        size = f"size={megabytes}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)], check=True)
        self._mounts.append(path)
        return path

    def build(self) -> None:
        """Make the namespaces and links."""
        self._ip("netns", "add", self._name(OUTSIDE))
        outside = ("-n", self._name(OUTSIDE))
        self._ip(*outside, "link", "set", "lo", "up")
        self._ip(*outside, "link", "add", "lan", "type", "bridge")
        self._ip(*outside, "addr", "add", f"{NET}.1/24", "dev", "lan")
        self._ip(*outside, "link", "set", "lan", "up")
        for number, host in enumerate(self.hosts):
            name = self._name(host)
            self._ip("netns", "add", name)
            cable = ("link", "add", f"m{number}", "type", "veth", "peer", "name", "eth0")
            self._ip(*outside, *cable, "netns", name)
            self._ip(*outside, "link", "set", f"m{number}", "master", "lan", "up")
            self._ip("-n", name, "link", "set", "lo", "up")
            self._ip("-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            self._ip("-n", name, "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Take everything away. Whoever started processes has ended them."""
        for path in self._mounts:
            subprocess.run(["umount", str(path)], check=True)
        here = {path.name for path in Path("/run/netns").glob(f"{self._tag}-*")}
        for host in (*self.hosts, OUTSIDE):
            if self._name(host) in here:
                self._ip("netns", "delete", self._name(host))

    def assert_gone(self) -> None:
        """Nothing is left: no process, mount or namespace."""
        where = str(self.directory)
        assert where not in Path("/proc/self/mounts").read_text()
        assert not list(Path("/run/netns").glob(f"{self._tag}-*"))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert where.encode() not in path.read_bytes(), path

    def _name(self, host: str) -> str:
        return f"{self._tag}-{host}"

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, timeout=COMMAND_S)


def fill(directory: Path) -> Path:
    """Leave no byte on the file system of a directory; the file to delete again."""
    ballast = directory / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(FILL_BYTES)) == FILL_BYTES:
            pass
    return ballast


@contextlib.contextmanager
def lab(hosts: Sequence[str]) -> Iterator[Lab]:
    """A lab that is taken away at the end, with its directory."""
    with tempfile.TemporaryDirectory(prefix="hfh-") as directory:
        here = Lab(Path(directory), hosts)
        try:
            here.build()
            yield here
        finally:
            here.remove()
        here.assert_gone()
