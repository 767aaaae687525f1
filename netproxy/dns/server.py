"""The DNS server of this machine: UDP and TCP on one address.

A question seen before is answered by a dictionary: the bytes after the id are the key, the answer's
bytes after its id the value, dropped whole when the zone changes. What is not the cluster's goes
to `upstream` in a task of its own. The control plane is not needed for any of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine

import dns.rcode
import structlog

from holdfast.netproxy.dns import answers
from holdfast.netproxy.dns.answers import Answer, Chase
from holdfast.netproxy.dns.upstream import Upstream
from holdfast.netproxy.dns.zone import Zone

CACHE_MAX = 4096
"""Questions whose answers are kept: at most some 40 MB, in practice one."""

TASKS_MAX = 2048
"""Questions waiting for upstream, over UDP and TCP; one more is told SERVFAIL at once."""

CONNECTIONS_MAX = 256
IDLE_S = 10.0
STREAM_BYTES_MAX = 65535 + 2

log = structlog.get_logger()


class Server(asyncio.DatagramProtocol):
    """Serves a zone. `start`, then `stop`."""

    def __init__(self, zone: Zone, upstream: Upstream) -> None:
        self._zone = zone
        self._upstream = upstream
        self._kept: dict[bytes, tuple[bytes, ...]] = {}
        self._kept_version = 0
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> None:
        """Listen on both. Raises OSError when the address or port is not to be had."""
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, port))
        self._udp = udp
        try:
            self._tcp = await asyncio.start_server(
                self._connected, address, port, limit=STREAM_BYTES_MAX
            )
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Listen no more; questions under way get no answer."""
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        tasks = [*self._tasks, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a transport closes its socket in the loop's next turn

    # --- UDP --------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """One question: from memory, from the zone, or from upstream."""
        if self._kept_version != self._zone.version:
            self._kept.clear()
            self._kept_version = self._zone.version
        turns = self._kept.get(data[2:])
        if turns is None:
            step = answers.consider(data, self._zone, tcp=False)
            if step is None:
                return
            if not isinstance(step, Answer):
                self._spawn(self._forward(data, step, addr), data, addr)
                return
            turns = tuple(turn[2:] for turn in step.turns)
            if len(self._kept) >= CACHE_MAX:
                self._kept.clear()
            self._kept[data[2:]] = turns
        self._turn += 1
        self._send(data[:2] + turns[self._turn % len(turns)], addr)

    def _send(self, wire: bytes, addr: tuple[str | object, int]) -> None:
        if self._udp and not self._udp.is_closing():
            self._udp.sendto(wire, addr)

    def _spawn(
        self,
        work: Coroutine[object, object, None],
        data: bytes,
        addr: tuple[str | object, int],
    ) -> None:
        if len(self._tasks) >= TASKS_MAX:
            work.close()
            self._send(answers.refusal(data, dns.rcode.SERVFAIL), addr)
            return
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(
        self, data: bytes, step: answers.Forward | Chase, addr: tuple[str | object, int]
    ) -> None:
        self._send(await self._asked(data, step, tcp=False), addr)

    async def _asked(self, data: bytes, step: answers.Forward | Chase, *, tcp: bool) -> bytes:
        if isinstance(step, Chase):
            return answers.join(step, await self._upstream.ask(step.question, tcp=tcp))
        told = await self._upstream.ask(data, tcp=tcp)
        return told or answers.refusal(data, dns.rcode.SERVFAIL)

    def error_received(self, exc: Exception) -> None:
        """A client went before its answer came: nothing to do."""
        log.debug("a dns answer was not taken", why=str(exc))

    # --- TCP --------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Questions of one connection, one after another, until it is idle or closed."""
        while True:
            async with asyncio.timeout(IDLE_S):
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            step = answers.consider(data, self._zone, tcp=True)
            if step is None:
                return
            if isinstance(step, Answer):
                wire = step.turns[self._turn % len(step.turns)]
                self._turn += 1
            else:
                wire = await self._asked(data, step, tcp=True)
            writer.write(len(wire).to_bytes(2) + wire)
            async with asyncio.timeout(IDLE_S):
                await writer.drain()
