"""The cluster that scenarios are played on: a control node, an agent, and manifests for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from holdfast.api import kubeconfig
from holdfast.api.client import Client
from holdfast.api.codec import decode_object
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc

IMAGE = "localhost/holdfast-demo:1"
PORT = 6444
WAIT_S = 20.0


class World:
    """The cluster under test. directory: the node's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.node_directory = directory / "node"
        self.socket = directory / "containerd" / "containerd.sock"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client: Client

    def spawn(self, name: str, *argv: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(argv, stdout=log, stderr=log)

    async def start(self) -> None:
        config = self.directory / "admin.kubeconfig"
        data = str(self.directory / "control")
        flags = ("--data-dir", data, "--port", str(PORT), "--kubeconfig", str(config))
        self.spawn("control", sys.executable, "-m", "holdfast.control", *flags)
        await until(lambda: _exists(config), "kubeconfig")
        endpoint = kubeconfig.load((config,), None)
        self.client = Client.connect(endpoint)
        stub: Any = cluster_pb2_grpc.AccessStub(self.client.channel)
        reply = await stub.CreateToken(cluster_pb2.CreateTokenRequest())
        (self.directory / "token").write_text(reply.token)
        self.start_agent()
        await until(lambda: self.node_condition("True"), "the node to be ready")

    def start_agent(self) -> None:
        flags = [
            *("--name", "node-1", "--dir", str(self.node_directory)),
            *("--join-file", str(self.directory / "token"), "--server", f"127.0.0.1:{PORT + 1}"),
            *("--containerd", str(self.socket), "--bridge", "hf0"),
            *("--cgroup-root", f"/{self.directory.name}/pods"),
        ]
        self.spawn("agent", sys.executable, "-m", "holdfast.node", *flags)

    async def stop(self) -> None:
        await self.client.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(10)

    async def node_condition(self, wanted: str) -> bool:
        try:
            node = await self.client.get("nodes", "node-1")
        except ApiError:
            return False
        return any(c.type == "Ready" and c.status == wanted for c in node.status.conditions)

    async def create(self, tree: dict[str, Any]) -> None:
        kind, message = decode_object(tree)
        await self.client.create(kind.resource, message, "default")

    async def pod(self, name: str) -> core.Pod | None:
        try:
            found: core.Pod = await self.client.get("pods", name, "default")
        except ApiError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise
        return found

    async def when(
        self, name: str, wanted: Callable[[core.Pod], object], what: str, wait_s: float = WAIT_S
    ) -> core.Pod:
        """Wait until a pod is as wanted."""
        last: core.Pod | None = None
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            last = await self.pod(name)
            if last is not None and wanted(last):
                return last
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} was not {what} after {wait_s} s:\n{last}")

    async def gone(self, name: str) -> None:
        async def absent() -> bool:
            return await self.pod(name) is None

        await until(absent, f"{name} to be gone")

    def containerd_pid(self) -> int:
        return int((self.directory / "containerd.pid").read_text())

    def _group(self, pod: core.Pod) -> Path:
        root = Path("/sys/fs/cgroup/cpu")
        return root / self.directory.name / "pods" / f"pod{pod.metadata.uid}"

    def cpu_shares(self, pod: core.Pod) -> str:
        """Of the pod's own group; "" without cgroup version 1."""
        file = self._group(pod) / "cpu.shares"
        return file.read_text().strip() if file.exists() else ""

    def left(self, pod: core.Pod) -> list[str]:
        """What is still on the machine of a pod that is gone."""
        uid = pod.metadata.uid
        found = [str(path) for path in self.node_directory.glob(f"*/*{uid}*")]
        found += [line for line in Path("/proc/self/mounts").read_text().split("\n") if uid in line]
        return [*found, *([str(self._group(pod))] if self._group(pod).exists() else [])]

    def log(self, pod: core.Pod, container: str = "main", attempt: int = 0) -> str:
        meta = pod.metadata
        folder = f"{meta.namespace}_{meta.name}_{meta.uid}"
        path = self.node_directory / "logs" / folder / container / f"{attempt}.log"
        return path.read_text()


async def _exists(path: Path) -> bool:
    return await asyncio.to_thread(path.exists)


async def until(check: Callable[[], Awaitable[bool]], what: str, wait_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + wait_s
    while not await check():
        assert time.monotonic() < deadline, f"waited {wait_s} s for {what}"
        await asyncio.sleep(0.05)


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 2, **spec},
    }


def container(name: str = "main", script: str = "", **more: Any) -> dict[str, Any]:
    command = {"command": ["sh", "-c", script]} if script else {}
    return {"name": name, "image": IMAGE, **command, **more}


def ready(found: core.Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in found.status.conditions)


def first(found: core.Pod) -> Any:
    return found.status.containerStatuses[0]
