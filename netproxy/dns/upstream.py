"""Asking other DNS servers: raw messages with ids of our own, bounded, one server after another.

A message is sent on as it came, only its id is replaced by a random one, over a socket that takes
answers of that server alone and on a port the kernel chose; an answer counts only when it repeats
the question. A server that does not answer in time is asked last from then on. Nothing is kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import cast

import structlog

from holdfast.netproxy.dns.answers import HEADER_BYTES, question_end

PORT = 53
TRY_TIMEOUT_S = 1.5
TRIES_MAX = 3
"""Together under the 5 s after which a resolver asks again."""

IN_FLIGHT_MAX = 1024
SOCKETS = 4
"""For each server: an id and one of these ports must be guessed to forge an answer."""

log = structlog.get_logger()


class _Socket(asyncio.DatagramProtocol):
    """One connected socket. waiting: id → (question, who waits for its answer)."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, tuple[bytes, asyncio.Future[bytes]]] = {}
        self.transport: asyncio.DatagramTransport | None = None
        self._retired = False

    async def ask(self, wire: bytes) -> bytes:
        """Send under an id of our own, wait for the answer. The caller bounds the time."""
        identifier = secrets.token_bytes(2)
        while identifier in self.waiting:
            identifier = secrets.token_bytes(2)
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiting[identifier] = wire[HEADER_BYTES : question_end(wire)], waiter
        try:
            assert self.transport is not None
            self.transport.sendto(identifier + wire[2:])
            return await waiter
        finally:
            del self.waiting[identifier]
            self._close_when_done()

    def retire(self) -> None:
        """Take no more questions; close when those under way have ended."""
        self._retired = True
        self._close_when_done()

    def _close_when_done(self) -> None:
        if self._retired and not self.waiting and self.transport:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: tuple[str | object, int]) -> None:
        question, waiter = self.waiting.get(data[:2], (b"", None))
        if waiter is None or waiter.done() or not _answers(data, question):
            return
        waiter.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The server's machine refused (no server there): everybody here turns to the next."""
        for _question, waiter in self.waiting.values():
            if not waiter.done():
                waiter.set_exception(exc)


def _answers(data: bytes, question: bytes) -> bool:
    end = len(question) + HEADER_BYTES
    same = data[HEADER_BYTES:end].lower() == question.lower()
    return len(data) >= HEADER_BYTES and bool(data[2] & 0x80) and same


class Upstream:
    """The servers to ask, best first. Use `set_servers` before and whenever they change."""

    def __init__(self) -> None:
        self._servers: list[str] = []
        self._sockets: dict[str, list[_Socket]] = {}
        self._opening = asyncio.Lock()
        self._in_flight = 0
        self._port = PORT

    async def set_servers(self, servers: Sequence[str], port: int = PORT) -> None:
        """Ask these from now on, in this order. Opens and closes sockets."""
        if set(servers) == set(self._servers) and port == self._port:
            return
        await self.close()
        self._servers, self._port = list(servers), port

    async def close(self) -> None:
        """Close every socket; questions under way end without an answer."""
        for sockets in self._sockets.values():
            for one in sockets:
                one.error_received(ConnectionAbortedError("closed"))
                one.retire()
        self._sockets.clear()
        await asyncio.sleep(0)  # a transport closes its socket in the loop's next turn

    async def ask(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer with the id of `wire`, None when nobody answered or too many wait already."""
        if self._in_flight >= IN_FLIGHT_MAX or not self._servers:
            return None
        self._in_flight += 1
        try:
            for _attempt in range(TRIES_MAX):
                if not self._servers:
                    break
                server = self._servers[0]
                try:
                    async with asyncio.timeout(TRY_TIMEOUT_S):
                        answer = await (self._tcp(server, wire) if tcp else self._udp(server, wire))
                        return wire[:2] + answer[2:]
                except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                    self._failed(server, error)
            return None
        finally:
            self._in_flight -= 1

    def _failed(self, server: str, error: Exception) -> None:
        log.debug("upstream dns failed", server=server, why=str(error) or "no answer in time")
        if server in self._servers:
            self._servers.remove(server)
            self._servers.append(server)
        # Its sockets may be bound to an address that this machine has no more: open new ones.
        for one in self._sockets.pop(server, []):
            one.retire()

    async def _udp(self, server: str, wire: bytes) -> bytes:
        return await (await self._socket(server)).ask(wire)

    async def _socket(self, server: str) -> _Socket:
        # One opens at a time; the list may be retired while a socket of it is being opened.
        async with self._opening:
            while len(sockets := self._sockets.setdefault(server, [])) < SOCKETS:
                loop = asyncio.get_running_loop()
                _transport, one = await loop.create_datagram_endpoint(
                    _Socket, remote_addr=(server, self._port)
                )
                self._sockets.setdefault(server, []).append(one)
            return secrets.choice(sockets)

    async def _tcp(self, server: str, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port)
        try:
            identifier = secrets.token_bytes(2)
            message = identifier + wire[2:]
            writer.write(len(message).to_bytes(2) + message)
            await writer.drain()
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        finally:
            writer.close()
        question = wire[HEADER_BYTES : question_end(wire)]
        if answer[:2] != identifier or not _answers(answer, question):
            raise ConnectionError("its answer does not fit the question")
        return answer
