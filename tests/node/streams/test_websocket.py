"""The small WebSocket client, against a server of few lines on loopback."""

from __future__ import annotations

import asyncio
import json

import pytest

from holdfast.api.errors import ApiError
from holdfast.node.streams import exec as commands
from holdfast.node.streams import websocket
from holdfast.runtime.interface import RuntimeFault


async def echo(reader, writer):
    """Answer the handshake, echo one message in two fragments after a ping, then close."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Sec-WebSocket-Protocol: v4.channel.k8s.io" in head
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    first, second = await reader.readexactly(2)
    assert first == 0x82
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(size)))
    writer.write(bytes((0x89, 0)))
    pong = await reader.readexactly(6)
    assert pong[0] == 0x8A
    half = len(data) // 2
    for opcode, part in ((0x02, data[:half]), (0x80, data[half:])):
        size = len(part)
        length = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        writer.write(bytes((opcode,)) + length + part)
    writer.write(bytes((0x88, 0)))
    await writer.drain()
    writer.close()


@pytest.fixture
async def url():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/exec/x"


@pytest.mark.parametrize("size", [1, 125, 126, 5000])
async def test_messages_in_both_directions(url, size):
    socket = await websocket.connect(url, "v4.channel.k8s.io")
    data = bytes(i % 251 for i in range(size))
    await socket.send(data)
    assert [message async for message in socket.messages()] == [data]
    await socket.close()


async def test_a_server_that_is_not_there():
    with pytest.raises(RuntimeFault, match="cannot reach"):
        await websocket.connect("http://127.0.0.1:1/x", "v4.channel.k8s.io")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "Success"}, 0),
        (
            {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": "42"}]},
            },
            42,
        ),
    ],
)
def test_exit_codes(status, code):
    assert commands.exit_code(json.dumps(status).encode()) == code


@pytest.mark.parametrize("status", [b"x", b'{"status":"Failure","message":"no such command"}'])
def test_a_command_that_never_ran(status):
    with pytest.raises(ApiError):
        commands.exit_code(status)
