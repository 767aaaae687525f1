"""Run a command in a container for somebody far away: frames on one side, the runtime's WebSocket
on the other (subprotocol v4.channel.k8s.io: the first byte of a message is its channel).

That subprotocol cannot end standard input alone: a command that waits for its end goes on waiting
when the client's input has ended.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.node.streams import websocket
from holdfast.node.streams.websocket import WebSocket
from holdfast.runtime.interface import Runtime, RuntimeFault

PROTOCOL = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE = range(5)
_CHANNELS = {_STDOUT: wire.STDOUT, _STDERR: wire.STDERR}


async def serve(
    runtime: Runtime, container_id: str, request: wire.ExecRequest, stream: Any
) -> None:
    """Join a dialled stream to a command, until the command has ended.

    stream: the Dial call, its ticket sent. Raises RuntimeFault, ApiError.
    """
    url = await runtime.exec_url(
        container_id, tuple(request.command), stdin=request.stdin, tty=request.tty
    )
    socket = await websocket.connect(url, PROTOCOL)
    upward = asyncio.create_task(_upward(stream, socket, stdin=request.stdin))
    try:
        await stream.write(wire.Frame(exit_code=await _downward(socket, stream)))
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)
        await socket.close()


async def _upward(stream: Any, socket: WebSocket, *, stdin: bool) -> None:
    """The client's input and window sizes, to the command."""
    while (frame := await stream.read()) is not None:
        if frame.HasField("resize"):
            size = {"Width": frame.resize.columns, "Height": frame.resize.rows}
            await socket.send(bytes((_RESIZE,)) + json.dumps(size).encode())
        if frame.channel == wire.STDIN and frame.data and stdin:
            await socket.send(bytes((_STDIN,)) + frame.data)
    # The client is gone: so is whoever the command worked for.
    await socket.close()


async def _downward(socket: WebSocket, stream: Any) -> int:
    """The command's output, to the client; returns its exit code."""
    async for message in socket.messages():
        if not message:
            continue
        channel, data = message[0], message[1:]
        if channel == _ERROR:
            return exit_code(data)
        if data and channel in _CHANNELS:
            await stream.write(wire.Frame(channel=_CHANNELS[channel], data=data))
    raise ApiError(Reason.INTERNAL, "the runtime ended the stream without an exit code")


def exit_code(status: bytes) -> int:
    """The exit code in the Status that ends an exec. Raises ApiError when it never ran."""
    try:
        tree = json.loads(status)
    except ValueError:
        raise ApiError(Reason.INTERNAL, "the runtime's answer is not JSON") from None
    if tree.get("status") == "Success":
        return 0
    for cause in (tree.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    raise ApiError(Reason.INTERNAL, str(tree.get("message") or "the command could not be run"))


def refusal(fault: RuntimeFault) -> ApiError:
    """A runtime's failure in an answer to a client."""
    return ApiError(Reason.INTERNAL, fault.message)
