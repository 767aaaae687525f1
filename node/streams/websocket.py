"""A small WebSocket client (RFC 6455) for the runtime's streaming server on loopback.

Only what that server needs: binary messages, one subprotocol, pings answered, fragments joined.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from holdfast.runtime.interface import Fault, RuntimeFault

MESSAGE_BYTES_MAX = 1 << 20
CONNECT_TIMEOUT_S = 5.0
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocket:
    """One connection. Use `connect`, then `send` and `messages`, then `close`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send one binary message; waits while the peer takes none."""
        await self._send(_BINARY, data)

    async def messages(self) -> AsyncIterator[bytes]:
        """Messages until the peer closes. Raises RuntimeFault when the connection breaks."""
        whole = b""
        try:
            while True:
                final, opcode, data = await self._receive()
                if opcode == _CLOSE:
                    return
                if opcode == _PING:
                    await self._send(_PONG, data)
                elif opcode in (_CONTINUED, _TEXT, _BINARY):
                    whole += data
                    if len(whole) > MESSAGE_BYTES_MAX:
                        raise RuntimeFault(Fault.FAILED, "a message of the runtime is too long")
                    if final:
                        yield whole
                        whole = b""
        except (asyncio.IncompleteReadError, OSError) as error:
            raise RuntimeFault(Fault.UNAVAILABLE, f"the exec stream broke off: {error}") from None

    async def close(self) -> None:
        """End the connection."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _send(self, opcode: int, data: bytes) -> None:
        mask = os.urandom(4)
        size = len(data)
        if size < 126:
            head = bytes((0x80 | opcode, 0x80 | size))
        elif size < 1 << 16:
            head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
        self._writer.write(head + mask + _masked(data, mask))
        await self._writer.drain()

    async def _receive(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._reader.readexactly(8), "big")
        if size > MESSAGE_BYTES_MAX:
            raise RuntimeFault(Fault.FAILED, "a frame of the runtime is too long")
        return bool(first & 0x80), first & 0x0F, await self._reader.readexactly(size)


def _masked(data: bytes, mask: bytes) -> bytes:
    """Data XORed with the repeated mask, as one large number: a loop a byte would be slow."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return number.to_bytes(size, "big")


async def connect(url: str, protocol: str) -> WebSocket:
    """Open a WebSocket with one subprotocol. Raises RuntimeFault."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {protocol}",
    ]
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        message = f"cannot reach the runtime's streaming server at {host}:{port}: {error}"
        raise RuntimeFault(Fault.UNAVAILABLE, message) from None
    status = head.split(b"\r\n", 1)[0]
    if b" 101 " not in status + b" ":
        writer.transport.abort()
        raise RuntimeFault(Fault.FAILED, f"the runtime refused the stream: {status.decode()}")
    return WebSocket(reader, writer)
