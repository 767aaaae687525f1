"""Starts, kills and ends the processes of a bench. Each dies with the bench, whatever happens.

Their output goes to files of the bench's folder, whose end is shown when one does not come up.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from bench.members import certificates
from bench.members.member import GROUP
from bench.members.tls import CA, CLIENT

ENDING_S = 5.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Processes:
    """Processes of one group, by number from 1. addresses: where clients reach each."""

    def __init__(self, folder: Path, commands: dict[int, list[str]], addresses: list[str]) -> None:
        self.folder = folder
        self.addresses = addresses
        self._commands = commands
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, *members: int) -> None:
        """Start members, all if none is named. Does not wait until they serve."""
        for member in members or tuple(self._commands):
            command = ["setpriv", "--pdeathsig", "KILL", *self._commands[member]]
            with (self.folder / f"{member}.log").open("ab") as log:
                self._running[member] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, member: int) -> None:
        """SIGKILL, and wait for its end."""
        process = self._running.pop(member)
        process.kill()
        process.wait()

    def signal(self, member: int, number: signal.Signals) -> None:
        """Send one a signal."""
        self._running[member].send_signal(number)

    def pid(self, member: int) -> int:
        """The process of a member."""
        return self._running[member].pid

    def log(self, member: int) -> str:
        """The end of what a member said."""
        return (self.folder / f"{member}.log").read_text()[-2_000:]

    def ended(self) -> list[int]:
        """Members that ended by themselves."""
        return [m for m, process in self._running.items() if process.poll() is not None]

    def stop(self) -> None:
        """End all."""
        for member in list(self._running):
            self.kill(member)


def members(folder: Path, count: int, engine: str = "raft") -> Processes:
    """A group of our own members. engine: "raft", or the etcd:// text of the etcd they share."""
    folder.mkdir()
    ids = list(range(1, count + 1))
    certificates.make(folder, ids)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    group = {
        "engine": engine,
        "cluster": str(uuid.uuid4()),
        "members": dict(zip(map(str, ids), addresses, strict=True)),
    }
    (folder / GROUP).write_text(json.dumps(group))
    program = [sys.executable, "-m", "bench.members.member", str(folder)]
    return Processes(folder, {one: [*program, str(one)] for one in ids}, addresses)


def etcd(folder: Path, count: int) -> Processes:
    """Debian's etcd with the same certificates: mutual TLS for clients, TLS among members."""
    folder.mkdir()
    certificates.make(folder, [])
    ports = free_ports(2 * count)
    clients, peers = ports[:count], ports[count:]
    cluster = ",".join(f"m{n}=https://127.0.0.1:{port}" for n, port in enumerate(peers, 1))
    addresses = [f"127.0.0.1:{port}" for port in clients]
    return Processes(
        folder,
        {
            n: _etcd(folder, n, f"https://{address}", f"https://127.0.0.1:{peer}", cluster)
            for n, (address, peer) in enumerate(zip(addresses, peers, strict=True), 1)
        },
        addresses,
    )


def _etcd(folder: Path, number: int, client: str, peer: str, cluster: str) -> list[str]:
    tls = _tls(folder)
    return [
        "etcd", "--name", f"m{number}", "--data-dir", str(folder / f"m{number}"),
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", cluster, "--initial-cluster-token", folder.parent.name,
        "--logger", "zap", "--log-outputs", "stderr", "--enable-grpc-gateway=false",
        "--client-cert-auth", *tls, *(flag.replace("--", "--peer-", 1) for flag in tls),
    ]  # fmt: skip


def _tls(folder: Path) -> Sequence[str]:
    certificate, key = folder / "server.pem", folder / "server.key"
    ca = folder / CA
    return f"--cert-file={certificate}", f"--key-file={key}", f"--trusted-ca-file={ca}"


def etcd_target(servers: Processes, first: int = 1) -> str:
    """The etcd:// text of a running etcd, with the client's certificate. first: whom an engine
    asks, until that one does not answer."""
    files = {"ca": CA, "cert": f"{CLIENT}.pem", "key": f"{CLIENT}.key"}
    options = "&".join(f"{name}={servers.folder / file}" for name, file in files.items())
    hosts = [*servers.addresses[first - 1 :], *servers.addresses[: first - 1]]
    return f"etcd://{','.join(hosts)}?{options}"
