"""The Sessions service: the streams that node agents open. What they mean is in control/sessions.

Also `two_way`, the guard of every two-way stream (Pods/Exec has it too).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from holdfast.api import wire as errors
from holdfast.api.errors import ApiError
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.control.rpc.doors import Authenticate, Context, internal, store_refusal
from holdfast.control.sessions.sessions import Sessions
from holdfast.control.sessions.streams import Streams
from holdfast.control.store.engine import StoreError

NAME = "holdfast.api.rpc.v1.Sessions"

TwoWay = Callable[[Any, Context], Awaitable[None]]


def two_way(
    name: str,
    authenticate: Authenticate,
    method: Callable[[Identity, Context], Awaitable[None]],
) -> TwoWay:
    """A handler for `method(identity, stream)`, which reads and writes the stream itself."""

    async def handle(_requests: Any, context: Context) -> None:
        try:
            await method(await authenticate(context), context)
        except ApiError as error:
            await errors.abort(context, error)
        except StoreError as error:
            await errors.abort(context, store_refusal(error))
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:
            await errors.abort(context, internal(name, error))

    return handle


class SessionsService:
    """holdfast.api.rpc.v1.Sessions."""

    def __init__(self, sessions: Sessions, streams: Streams, authenticate: Authenticate) -> None:
        self._open = two_way("Sessions/Open", authenticate, sessions.serve)
        self._dial = two_way("Sessions/Dial", authenticate, streams.serve_dial)

    def handler(self) -> grpc.GenericRpcHandler:
        """For `server.add_generic_rpc_handlers`."""
        handlers = {
            "Open": _handler(self._open, wire.NodeMessage.FromString),
            "Dial": _handler(self._dial, wire.Frame.FromString),
        }
        return grpc.method_handlers_generic_handler(NAME, handlers)


def _handler(method: TwoWay, read: Callable[[bytes], Any]) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.stream_stream_rpc_method_handler(
        method,
        request_deserializer=read,
        response_serializer=lambda message: message.SerializeToString(),
    )
