"""Two nodes, three pods and a machine outside, each a network namespace made by the test.

    client ─┐            ┌─ pod a 10.244.1.2
    node 1 ─┼─ lan       ├─ pod b 10.244.1.3     (bridge of node 1)
    node 2 ─┘            └─ pod c 10.244.2.2     (bridge of node 2)

Sockets are made by a thread that entered the namespace; they stay in it, so servers and clients
all run in the test's own loop. `close` removes everything; a left-over name is a failure.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NODES = {"n1": "10.99.0.1", "n2": "10.99.0.2"}
CLIENT = "10.99.0.9"
PODS = {"a": ("n1", "10.244.1.2"), "b": ("n1", "10.244.1.3"), "c": ("n2", "10.244.2.2")}

T = TypeVar("T")
_numbers = itertools.count()


class Lab:
    """The namespaces. Names of places: n1, n2, client, a, b, c, lan."""

    def __init__(self) -> None:
        self._prefix = f"hft{os.getpid()}x{next(_numbers)}-"
        self._places = ["lan", *NODES, "client", *PODS]
        for place in self._places:
            self.ip("netns", "add", self.name(place))
            self.ip("-n", self.name(place), "link", "set", "lo", "up")
        self._lan()
        for node, address in NODES.items():
            self._attach("lan", "lan0", node, "eth0", f"{address}/24")
            self._bridge(node)
        self._attach("lan", "lan0", "client", "eth0", f"{CLIENT}/24")
        for pod, (node, address) in PODS.items():
            self._attach(node, "pods", pod, "eth0", f"{address}/24")
            gateway = address.rpartition(".")[0] + ".1"
            self.ip("-n", self.name(pod), "route", "add", "default", "via", gateway)

    def name(self, place: str) -> str:
        """The namespace's name for ip(8)."""
        return self._prefix + place

    def ip(self, *words: str) -> str:
        return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout

    def run(self, place: str, *command: str) -> str:
        """A command inside a namespace."""
        enter = ["nsenter", f"--net=/run/netns/{self.name(place)}", *command]
        return subprocess.run(enter, check=True, capture_output=True, text=True).stdout

    def _lan(self) -> None:
        lan = self.name("lan")
        self.ip("-n", lan, "link", "add", "lan0", "type", "bridge")
        self.ip("-n", lan, "link", "set", "lan0", "up")

    def _bridge(self, node: str) -> None:
        inside = self.name(node)
        gateway = f"10.244.{node[1:]}.1/24"
        self.ip("-n", inside, "link", "add", "pods", "type", "bridge")
        self.ip("-n", inside, "addr", "add", gateway, "dev", "pods")
        self.ip("-n", inside, "link", "set", "pods", "up")

    def _attach(self, place: str, bridge: str, other: str, device: str, address: str) -> None:
        """A cable from a bridge to another place, with hairpin on, as CNI's bridge plugin."""
        near, far = self.name(place), self.name(other)
        port = f"to-{other}"
        self.ip(
            *("-n", near, "link", "add", port, "type", "veth"),
            *("peer", "name", device, "netns", far),
        )
        self.ip("-n", near, "link", "set", port, "master", bridge)
        self.ip("-n", near, "link", "set", port, "type", "bridge_slave", "hairpin", "on")
        self.ip("-n", near, "link", "set", port, "up")
        self.ip("-n", far, "addr", "add", address, "dev", device)
        self.ip("-n", far, "link", "set", device, "up")

    def close(self) -> None:
        for place in self._places:
            self.ip("netns", "delete", self.name(place))
        assert self._prefix not in self.ip("netns", "list")

    # --- work inside --------------------------------------------------------------------------

    def _enter(self, place: str) -> None:
        with Path(f"/run/netns/{self.name(place)}").open() as file:
            assert LIBC.setns(file.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def call(self, place: str, work: Callable[[], T]) -> T:
        """Run a function in a thread inside a namespace."""
        done: Future[T] = Future()

        def body() -> None:
            try:
                self._enter(place)
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        return done.result()

    async def inside(self, place: str, work: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine in a loop of its own inside a namespace."""

        async def body() -> T:
            return await work()

        return await asyncio.to_thread(self.call, place, lambda: asyncio.run(body()))

    def socket(self, place: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
        made = self.call(place, lambda: socket.socket(socket.AF_INET, kind))
        made.setblocking(False)
        return made

    async def serve(self, place: str, port: int) -> asyncio.Server:
        """A TCP server that says "PLACE SOURCE-ADDRESS" to whom connects, and hangs up."""
        listening = self.socket(place)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("0.0.0.0", port))

        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            source = writer.get_extra_info("peername")[0]
            writer.write(f"{place} {source}".encode())
            await writer.drain()
            writer.close()

        return await asyncio.start_server(greet, sock=listening)

    async def ask(self, place: str, address: str, port: int) -> tuple[str, str]:
        """Connect from a place. Returns (who answered, which source it saw)."""
        loop = asyncio.get_running_loop()
        with self.socket(place) as made:
            async with asyncio.timeout(3):
                await loop.sock_connect(made, (address, port))
                text = (await loop.sock_recv(made, 100)).decode()
        who, source = text.split()
        return who, source
