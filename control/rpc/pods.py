"""The Pods service: logs and exec, each a client's call joined to a stream its node dials back.

Reading logs and running commands are separate rights ("get" pods/log, "create" pods/exec), judged
here before the node hears of anything. What a client sends is taken apart and only its input,
window sizes and ends go on, on a stream that is good for this one pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc

from holdfast.api.errors import ApiError, Reason, not_found
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.control.cache import Cache
from holdfast.control.rpc.doors import (
    Authenticate,
    Context,
    Require,
    allow,
    anywhere,
    streaming,
    two_way,
)
from holdfast.control.sessions import targets
from holdfast.control.sessions.session import HELLO_TIMEOUT_S
from holdfast.control.sessions.streams import FRAME_BYTES_MAX, Dialled, Streams

NAME = "holdfast.api.rpc.v1.Pods"


class PodsService:
    """holdfast.api.rpc.v1.Pods."""

    def __init__(
        self, cache: Cache, streams: Streams, authenticate: Authenticate,
        require: Require = anywhere,
    ) -> None:  # fmt: skip
        """require: passes at the leader, with whom the nodes have their sessions."""
        self._require = require
        self._cache = cache
        self._streams = streams
        self._authenticate = authenticate

    def handler(self) -> grpc.GenericRpcHandler:
        """For `server.add_generic_rpc_handlers`."""
        who = self._authenticate
        handlers = {
            "Logs": streaming("Pods/Logs", who, wire.LogsRequest, self.logs),
            "Exec": two_way("Pods/Exec", who, wire.ExecMessage, self.exec),
        }
        return grpc.method_handlers_generic_handler(NAME, handlers)

    async def logs(
        self, request: wire.LogsRequest, identity: Identity, _again: Callable[[], Awaitable[Any]]
    ) -> AsyncIterator[bytes]:
        """A container's output, as far as it is kept; with `follow`, and what comes."""
        await self._require()
        node = self._address(identity, "get", "log", request)
        dialled = await self._streams.open(node, wire.Ticket(logs=request))
        try:
            while (frame := await dialled.read()) is not None:
                yield frame.SerializeToString()
        finally:
            dialled.finish()

    async def exec(self, identity: Identity, context: Context) -> None:
        """Run a command in a container; the last frame carries its exit code."""
        await self._require()
        request = await _request(context)
        node = self._address(identity, "create", "exec", request)
        dialled = await self._streams.open(node, wire.Ticket(exec=request))
        upward = asyncio.create_task(_upward(context, dialled, stdin=request.stdin))
        try:
            while (frame := await dialled.read()) is not None:
                await context.write(frame)
                if frame.HasField("exit_code"):
                    return
            message = f'node "{node}" ended the stream without an exit code'
            raise ApiError(Reason.UNAVAILABLE, message)
        finally:
            upward.cancel()
            dialled.finish()
            await asyncio.gather(upward, return_exceptions=True)

    def _address(
        self, identity: Identity, verb: str, subresource: str, request: targets.Request
    ) -> str:
        allow(
            identity,
            verb,
            "pods",
            namespace=request.namespace,
            name=request.pod,
            subresource=subresource,
            view=self._cache,
        )
        entry = self._cache.get("pods", request.namespace, request.pod)
        if entry is None:
            raise not_found("pods", request.pod)
        return targets.address(entry.message, request)


async def _request(context: Context) -> wire.ExecRequest:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            message = await context.read()
    except TimeoutError:
        raise ApiError(Reason.TIMEOUT, "no request came") from None
    if not isinstance(message, wire.ExecMessage) or not message.HasField("request"):
        raise ApiError(Reason.BAD_REQUEST, "the first message of an exec must be the request")
    if not message.request.command:
        raise ApiError(Reason.BAD_REQUEST, "command is missing: say what to run")
    return message.request


async def _upward(context: Context, dialled: Dialled, *, stdin: bool) -> None:
    """Hand the client's input on until its end. A stream that broke shows in the other direction,
    where the call is answered."""
    ended = not stdin
    while isinstance(message := await context.read(), wire.ExecMessage):
        for frame in _input(message.frame):
            if frame.channel != wire.STDIN or not ended:
                await dialled.write(frame)
        ended = ended or (message.frame.channel == wire.STDIN and message.frame.end)
    if not ended:
        await dialled.write(wire.Frame(channel=wire.STDIN, end=True))


def _input(sent: wire.Frame) -> Iterator[wire.Frame]:
    """What of a client's frame goes on to the node, in frames that are not too large."""
    if sent.HasField("resize"):
        yield wire.Frame(resize=sent.resize)
    if sent.channel == wire.STDIN:
        for start in range(0, len(sent.data), FRAME_BYTES_MAX):
            data = sent.data[start : start + FRAME_BYTES_MAX]
            yield wire.Frame(channel=wire.STDIN, data=data)
        if sent.end:
            yield wire.Frame(channel=wire.STDIN, end=True)
