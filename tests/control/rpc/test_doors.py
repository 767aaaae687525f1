"""What the caller sees of a failure: a status with a reason, never a traceback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1.resources_pb2 import KindsRequest
from holdfast.api.wire import from_rpc_error
from holdfast.control.rpc.doors import streaming, unary
from holdfast.control.rpc.server import Listener, serve
from holdfast.control.store.engine import ExpiredError, StoreError, UnknownOutcomeError

FAILURES: list[tuple[Exception, Reason, str]] = [
    (ApiError(Reason.CONFLICT, "no, because"), Reason.CONFLICT, "no, because"),
    (StoreError("the disk is full"), Reason.UNAVAILABLE, "the disk is full"),
    (ExpiredError("too old"), Reason.EXPIRED, "too old"),
    (UnknownOutcomeError("stopping"), Reason.UNKNOWN_OUTCOME, "stopping"),
    (KeyError("secret detail"), Reason.INTERNAL, "internal error, see the control node's log, id "),
]


async def _known(_context: Any) -> Identity:
    return Identity("someone")


@pytest.mark.parametrize(("failure", "reason", "text"), FAILURES)
@pytest.mark.parametrize("stream", [False, True])
async def test_failures(
    tmp_path: Path, failure: Exception, reason: Reason, text: str, stream: bool
) -> None:
    async def fail(_request: Any, _identity: Identity) -> NoReturn:
        raise failure

    async def fail_within(
        _request: Any, _identity: Identity, _again: Callable[[], Awaitable[Identity]]
    ) -> AsyncIterator[bytes]:
        yield b"first"
        raise failure

    if stream:
        handler = streaming("T/F", _known, KindsRequest, fail_within)
    else:
        handler = unary("T/F", _known, KindsRequest, fail)
    generic = grpc.method_handlers_generic_handler("T", {"F": handler})
    server = await serve([Listener(f"unix:{tmp_path}/s")], [generic], [])
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            if stream:
                async for reply in channel.unary_stream("/T/F")(b""):
                    assert reply == b"first"
            else:
                await channel.unary_unary("/T/F")(b"")
    await server.stop(0)
    error = from_rpc_error(failed.value)
    assert error.reason is reason
    assert error.message.startswith(text)
    assert "secret detail" not in error.message
