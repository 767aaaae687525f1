"""Calls of the Pods service: log streams and exec, as plain async iterators of frames.

The leader serves them: the nodes have their sessions with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc

from holdfast.api import wire
from holdfast.api.errors import ApiError, Reason, from_status
from holdfast.api.meta.v1 import meta_pb2
from holdfast.api.rpc.v1 import sessions_pb2, sessions_pb2_grpc

if TYPE_CHECKING:
    from holdfast.api.client import Client


async def logs(client: Client, request: sessions_pb2.LogsRequest) -> AsyncIterator[bytes]:
    """The pieces of a container's log. Raises ApiError."""
    await client.find_leader()
    stub = sessions_pb2_grpc.PodsStub(client.channel)
    call = stub.Logs(request, metadata=client.metadata())
    try:
        async for frame in call:
            _check(frame)
            if frame.data:
                yield frame.data
    except grpc.aio.AioRpcError as error:
        raise wire.from_rpc_error(error) from None
    finally:
        call.cancel()


async def execute(
    client: Client,
    request: sessions_pb2.ExecRequest,
    frames: AsyncIterator[sessions_pb2.Frame],
) -> AsyncIterator[sessions_pb2.Frame]:
    """Run a command: frames go up, its output and at last its exit code come down."""

    async def upward() -> AsyncIterator[sessions_pb2.ExecMessage]:
        yield sessions_pb2.ExecMessage(request=request)
        async for frame in frames:
            yield sessions_pb2.ExecMessage(frame=frame)

    await client.find_leader()
    stub = sessions_pb2_grpc.PodsStub(client.channel)
    call = stub.Exec(upward(), metadata=client.metadata())
    try:
        async for frame in call:
            _check(frame)
            yield frame
    except grpc.aio.AioRpcError as error:
        raise wire.from_rpc_error(error) from None
    finally:
        call.cancel()


def _check(frame: sessions_pb2.Frame) -> None:
    if not frame.error:
        return
    status = meta_pb2.Status.FromString(frame.error)
    error = from_status(status)
    raise ApiError(error.reason or Reason.INTERNAL, error.message, error.kind, error.name)
