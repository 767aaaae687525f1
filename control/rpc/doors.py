"""What stands before every method: what is asked, who asks, and what a failure looks like.

`unary`, `streaming` and `two_way` make the handlers of a service's methods. Requests come in as
bytes and are read here, so that one that is no message gets an answer like any other bad input.
An ApiError becomes a status; a failure of the store is Unavailable; anything else is a bug: it is
logged with its traceback under an id, and the caller is told the id. What only the leader may do
has `led_by` before it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from holdfast.api import wire
from holdfast.api.errors import ApiError, Reason, not_leader
from holdfast.api.identity import Identity
from holdfast.control.access import decide
from holdfast.control.store.engine import (
    ExpiredError,
    NotLeaderError,
    StoreError,
    UnknownOutcomeError,
)

Context = grpc.aio.ServicerContext[Any, Any]
Authenticate = Callable[[Context], Awaitable[Identity]]
Require = Callable[[], Awaitable[None]]
"""Leading.require: passes at the leader only."""
Reply = TypeVar("Reply")
log = structlog.get_logger()


def unary(
    name: str,
    authenticate: Authenticate,
    request_type: type[Message],
    method: Callable[[Any, Identity], Awaitable[Message]],
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler for `method(request, identity)`. name: "Resources/Get", for the log."""
    read = reader(request_type)

    async def handle(data: bytes, context: Context) -> bytes:
        try:
            reply = await method(read(data), await authenticate(context))
            return reply.SerializeToString()
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await wire.abort(context, refusal(name, error))

    return grpc.unary_unary_rpc_method_handler(handle)


def streaming(
    name: str,
    authenticate: Authenticate,
    request_type: type[Message],
    method: Callable[..., AsyncIterator[bytes]],
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler for a generator `method(request, identity, again)` of serialized replies;
    `again()` authenticates once more, because a stream outlives certificates."""
    read = reader(request_type)

    async def handle(data: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            identity = await authenticate(context)
            async for reply in method(read(data), identity, lambda: authenticate(context)):
                yield reply
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await wire.abort(context, refusal(name, error))

    return grpc.unary_stream_rpc_method_handler(handle)


def two_way(
    name: str,
    authenticate: Authenticate,
    message_type: type[Message],
    method: Callable[[Identity, Context], Awaitable[None]],
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler for `method(identity, stream)`, which reads and writes the stream itself."""

    async def handle(_requests: Any, context: Context) -> None:
        try:
            await method(await authenticate(context), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await wire.abort(context, refusal(name, error))

    return grpc.stream_stream_rpc_method_handler(
        handle,
        request_deserializer=reader(message_type),
        response_serializer=lambda message: message.SerializeToString(),
    )


def led_by(
    require: Require, method: Callable[[Any, Identity], Awaitable[Reply]]
) -> Callable[[Any, Identity], Awaitable[Reply]]:
    """The method, refused with NotLeader where another control node leads."""

    async def led(request: Any, identity: Identity) -> Reply:
        await require()
        return await method(request, identity)

    return led


async def anywhere() -> None:
    """A Require of a control node that is the only one."""


def reader(message_type: type[Message]) -> Callable[[bytes], Any]:
    """How a request is read. It raises ApiError BadRequest for bytes that are no such message."""

    def read(data: bytes) -> Message:
        try:
            return message_type.FromString(data)
        except DecodeError:
            name = message_type.DESCRIPTOR.name
            text = f"the request is malformed: its {len(data)} bytes are no {name}"
            raise ApiError(Reason.BAD_REQUEST, text) from None

    return read


def allow(identity: Identity, verb: str, resource: str, **details: Any) -> None:
    """Raises ApiError Forbidden unless `access.decide` allows it; details as there."""
    decision = decide(identity, verb, resource, **details)
    if not decision.allowed:
        name = str(details.get("name", ""))
        raise ApiError(Reason.FORBIDDEN, decision.reason, resource, name)


def refusal(name: str, error: Exception) -> ApiError:
    """What the caller of a method is told about an error in it."""
    if isinstance(error, ApiError):
        return error.with_traceback(None)  # whose frames hold the error: a cycle
    if isinstance(error, StoreError):
        return _store_refusal(error)
    return _internal(name, error)


def _store_refusal(error: StoreError) -> ApiError:
    if isinstance(error, NotLeaderError):
        return not_leader(str(error), error.endpoints)
    if isinstance(error, ExpiredError):
        return ApiError(Reason.EXPIRED, str(error))
    if isinstance(error, UnknownOutcomeError):
        return ApiError(Reason.UNKNOWN_OUTCOME, str(error))
    return ApiError(Reason.UNAVAILABLE, str(error))


def _internal(name: str, error: Exception) -> ApiError:
    """A bug: into the log with its traceback, to the caller with the id it has there."""
    number = os.urandom(6).hex()
    log.error("internal error", method=name, id=number, exc_info=error)
    return ApiError(Reason.INTERNAL, f"internal error, see the control node's log, id {number}")
