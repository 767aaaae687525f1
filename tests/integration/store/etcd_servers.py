"""Debian's etcd as processes for tests: one member or several, on loopback, on free ports."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

READY = "serving client traffic"
READY_S = 30.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class EtcdMember:
    """One etcd process. It can be killed and started again on its data."""

    def __init__(self, directory: Path, name: str, client: int, peer: int, cluster: str) -> None:
        self.host = f"127.0.0.1:{client}"
        self._directory = directory
        self._arguments = [
            "etcd", "--name", name, "--data-dir", str(directory / name),
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", cluster, "--logger", "zap", "--log-outputs", "stderr",
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()  # set by the reader of its log; `ready` waits

    def start(self, scheme: str = "http", flags: Sequence[str] = ()) -> None:
        """Start the process; `ready` waits until it serves."""
        self._ready.clear()
        url = f"{scheme}://{self.host}"
        urls = ("--listen-client-urls", url, "--advertise-client-urls", url)
        self._process = subprocess.Popen(
            [*self._arguments, *urls, *flags],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        with process.stderr as lines, (self._directory / "etcd.log").open("a") as log:
            for line in lines:
                log.write(line)
                if READY in line:
                    self._ready.set()

    def ready(self) -> None:
        """Wait until it serves clients."""
        assert self._ready.wait(READY_S), (self._directory / "etcd.log").read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class EtcdServers:
    """An etcd of several members, made in a directory."""

    def __init__(self, directory: Path, count: int = 1) -> None:
        directory.mkdir(exist_ok=True)
        ports = free_ports(2 * count)
        peers = [f"m{n}=http://127.0.0.1:{ports[2 * n + 1]}" for n in range(count)]
        cluster = ",".join(peers)
        self.members = [
            EtcdMember(directory, f"m{n}", ports[2 * n], ports[2 * n + 1], cluster)
            for n in range(count)
        ]

    def start(self, scheme: str = "http", flags: Sequence[str] = ()) -> None:
        """Start all members and wait until they serve."""
        for member in self.members:
            member.start(scheme, flags)
        for member in self.members:
            member.ready()

    def stop(self) -> None:
        """End all members."""
        for member in self.members:
            member.kill()

    @property
    def hosts(self) -> str:
        """As in an etcd:// text."""
        return ",".join(member.host for member in self.members)
