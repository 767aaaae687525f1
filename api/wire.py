"""An ApiError as a gRPC status, and back.

The status code is the nearest one of gRPC's, the message is the error's sentence, and trailing
metadata "holdfast-status-bin" holds the whole meta/v1 Status (reason, field, causes). Servers
call `abort` or `trailers`, clients `from_rpc_error`.
"""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode

from holdfast.api.errors import ApiError, Reason, from_status, to_status
from holdfast.api.meta.v1 import meta_pb2

STATUS_KEY = "holdfast-status-bin"
STATUS_BYTES_MAX = 4096
"""Peers refuse more than 8 KiB of metadata, and binary metadata may travel as base64."""
MESSAGE_BYTES_MAX = 1024

STATUS_CODES: dict[Reason, StatusCode] = {
    Reason.BAD_REQUEST: StatusCode.INVALID_ARGUMENT,
    Reason.UNAUTHORIZED: StatusCode.UNAUTHENTICATED,
    Reason.FORBIDDEN: StatusCode.PERMISSION_DENIED,
    Reason.NOT_FOUND: StatusCode.NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: StatusCode.UNIMPLEMENTED,
    Reason.ALREADY_EXISTS: StatusCode.ALREADY_EXISTS,
    Reason.CONFLICT: StatusCode.ABORTED,
    Reason.EXPIRED: StatusCode.OUT_OF_RANGE,
    Reason.TOO_LARGE: StatusCode.RESOURCE_EXHAUSTED,
    Reason.INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.TOO_MANY_REQUESTS: StatusCode.RESOURCE_EXHAUSTED,
    Reason.INTERNAL: StatusCode.INTERNAL,
    Reason.NOT_BUILT: StatusCode.UNIMPLEMENTED,
    Reason.UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.NOT_LEADER: StatusCode.UNAVAILABLE,
    Reason.UNKNOWN_OUTCOME: StatusCode.UNAVAILABLE,
    Reason.TIMEOUT: StatusCode.DEADLINE_EXCEEDED,
}

_BARE_CODES: dict[StatusCode, Reason] = {
    StatusCode.INVALID_ARGUMENT: Reason.BAD_REQUEST,
    StatusCode.UNAUTHENTICATED: Reason.UNAUTHORIZED,
    StatusCode.PERMISSION_DENIED: Reason.FORBIDDEN,
    StatusCode.NOT_FOUND: Reason.NOT_FOUND,
    StatusCode.RESOURCE_EXHAUSTED: Reason.TOO_LARGE,
    StatusCode.UNIMPLEMENTED: Reason.METHOD_NOT_ALLOWED,
    StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    StatusCode.CANCELLED: Reason.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED: Reason.TIMEOUT,
}
"""What gRPC itself says when no Status came with it."""


def status_bytes(error: ApiError) -> bytes:
    """The error's Status, at most STATUS_BYTES_MAX long: causes that do not fit are left out."""
    status = to_status(error)
    status.message = _shortened(status.message)
    data = status.SerializeToString()
    while len(data) > STATUS_BYTES_MAX and status.details.causes:
        del status.details.causes[len(status.details.causes) // 2 :]
        data = status.SerializeToString()
    return data


def trailers(error: ApiError) -> tuple[StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Status code, message and trailing metadata for an error."""
    return (
        STATUS_CODES[error.reason],
        _shortened(error.message),
        ((STATUS_KEY, status_bytes(error)),),
    )


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ApiError) -> NoReturn:
    """End a call with this error. Raises what grpc.aio raises to end a call."""
    code, message, metadata = trailers(error)
    await context.abort(code, message, metadata)
    raise AssertionError("abort returned")


def parse_refusal(data: bytes) -> ApiError:
    """The error inside a `BatchOutcome.refusal` or a `Frame.error`."""
    return from_status(meta_pb2.Status.FromString(data))


def from_rpc_error(error: grpc.aio.AioRpcError) -> ApiError:
    """The error a server sent, or what gRPC says about a call that never got an answer."""
    data = _sent_status(error)
    if data:
        try:
            return parse_refusal(data)
        except DecodeError:
            pass
    reason = _BARE_CODES.get(error.code(), Reason.INTERNAL)
    return ApiError(reason, error.details() or error.code().name)


def has_status(error: grpc.aio.AioRpcError) -> bool:
    """Whether the error is a server's own answer, not a failure of the connection."""
    return bool(_sent_status(error))


def _sent_status(error: grpc.aio.AioRpcError) -> bytes:
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_KEY and isinstance(value, bytes):
            return value
    return b""


def _shortened(text: str) -> str:
    data = text.encode()
    if len(data) <= MESSAGE_BYTES_MAX:
        return text
    return data[: MESSAGE_BYTES_MAX - 3].decode(errors="ignore") + "…"
