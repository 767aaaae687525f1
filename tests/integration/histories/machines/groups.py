"""The control nodes of a run as processes, each on a machine of its own, on either engine.

`RaftGroup`: three members, the second and third join with a token. `EtcdGroup`: three members of
Debian's etcd and two control nodes on them. `Single`: one control node, alone.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.integration.histories.disks import read_directory
from tests.integration.histories.ledger import Disk, decode_disk
from tests.integration.histories.machines.lab import OUTSIDE, Lab
from tests.integration.histories.machines.programs import Program

PORT = 6444
DISK_MEGABYTES = 48
ETCD_DISK_MEGABYTES = 256
MODULE = (sys.executable, "-m", "tests.integration.histories")


class Group(Protocol):
    """What a scenario breaks. controls: the control nodes, by number less one. stores: what the
    state lives on, which may be the same. voters: how many control nodes each of them knows."""

    @property
    def controls(self) -> Sequence[Program]: ...

    @property
    def stores(self) -> Sequence[Program]: ...

    @property
    def kubeconfig(self) -> Path: ...

    @property
    def voters(self) -> int: ...

    def start(self) -> None:
        """Start everything, in order, and wait until it serves."""

    def disk(self, store: Program) -> Path:
        """The directory, on a file system of its own, that a store writes to."""

    def stop(self) -> None:
        """End everything in good order."""

    def kill(self) -> None:
        """End everything at once."""

    def read(self) -> dict[int, Disk]:
        """What is on the disks, after the end."""


def _control(lab: Lab, host: str, data: Path, *flags: str) -> Program:
    argv = [
        sys.executable, "-m", "holdfast.control", "--data-dir", str(data), "--name", host,
        "--listen", lab.address(host), "--port", str(PORT),
        "--kubeconfig", str(_kubeconfig(lab, host)), *flags,
    ]  # fmt: skip
    return Program(lab, host, argv, lab.directory / f"{host}.log", announces=True)


def _kubeconfig(lab: Lab, host: str) -> Path:
    return lab.directory / f"{host}.kubeconfig"


class RaftGroup:
    """Control nodes that replicate among themselves; one is a group too."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._disks = {host: lab.small_disk(host, DISK_MEGABYTES) for host in lab.hosts}
        self._token = lab.directory / "token"
        first, *others = lab.hosts
        server = f"{lab.address(first)}:{PORT + 1}"
        joining = ("--join-file", str(self._token), "--server", server)
        self.controls = [
            _control(lab, first, self._data(first)),
            *[_control(lab, host, self._data(host), *joining) for host in others],
        ]
        self.stores = self.controls
        self.voters = len(self.controls)
        self.kubeconfig = _kubeconfig(lab, first)

    def _data(self, host: str) -> Path:
        return self._disks[host] / "data"

    def start(self) -> None:
        """See Group."""
        first, *others = self.controls
        first.start()
        first.wait_ready()
        if others:
            files = (str(self.kubeconfig), str(self._token))
            self._lab.run(OUTSIDE, *MODULE, "token", *files)
        for one in others:
            one.start()
            one.wait_ready()
        self._token.unlink(missing_ok=True)

    def disk(self, store: Program) -> Path:
        """See Group."""
        return self._disks[store.host]

    def stop(self) -> None:
        """See Group."""
        for one in self.controls:
            one.stop()

    def kill(self) -> None:
        """See Group."""
        for one in self.controls:
            one.kill()

    def read(self) -> dict[int, Disk]:
        """See Group."""
        return {
            number: asyncio.run(read_directory(self._data(host)))
            for number, host in enumerate(self._lab.hosts, 1)
        }


class EtcdGroup:
    """Hosts whose names begin with "etcd" run etcd, the others control nodes on it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        etcds = [host for host in lab.hosts if host.startswith("etcd")]
        controls = [host for host in lab.hosts if host not in etcds]
        self._disks = {host: lab.small_disk(host, ETCD_DISK_MEGABYTES) for host in etcds}
        peers = ",".join(f"{host}=http://{lab.address(host)}:2380" for host in etcds)
        self.stores = [self._etcd(host, peers) for host in etcds]
        self._target = "etcd://" + ",".join(f"{lab.address(host)}:2379" for host in etcds)
        self.controls = [
            _control(lab, host, self._data(host), "--store", self._target) for host in controls
        ]
        self.kubeconfig = _kubeconfig(lab, controls[0])
        self.voters = len(controls)

    def _etcd(self, host: str, peers: str) -> Program:
        here = f"http://{self._lab.address(host)}"
        argv = [
            "etcd", "--name", host, "--data-dir", str(self._disks[host] / "data"),
            "--listen-client-urls", f"{here}:2379", "--advertise-client-urls", f"{here}:2379",
            "--listen-peer-urls", f"{here}:2380", "--initial-advertise-peer-urls", f"{here}:2380",
            "--initial-cluster", peers, "--logger", "zap", "--log-outputs", "stderr",
        ]  # fmt: skip
        return Program(self._lab, host, argv, self._lab.directory / f"{host}.log")

    def _data(self, host: str) -> Path:
        return self._lab.directory / host

    def start(self) -> None:
        """See Group. All control nodes have the authority of the first."""
        for store in self.stores:
            store.start()
        first, *others = self.controls
        first.start()
        first.wait_ready()
        for one in others:
            shutil.copytree(self._data(first.host), self._data(one.host))
            one.start()
            one.wait_ready()

    def disk(self, store: Program) -> Path:
        """See Group."""
        return self._disks[store.host]

    def stop(self) -> None:
        """See Group. etcd goes on: it is read afterwards, and killed."""
        for one in self.controls:
            one.stop()

    def kill(self) -> None:
        """See Group."""
        for one in (*self.controls, *self.stores):
            one.kill()

    def read(self) -> dict[int, Disk]:
        """See Group."""
        file = self._lab.directory / "etcd.json"
        self._lab.run(OUTSIDE, *MODULE, "etcd", self._target, str(file))
        return {1: decode_disk(file.read_text())}
