"""What stands before every method: who is it, and what a failure looks like to the caller.

`unary` and `streaming` wrap the methods of a service. An ApiError becomes a status; a failure of
the store is Unavailable; anything else is a bug: it is logged with its traceback under an id, and
the caller is told the id.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog

from holdfast.api import wire
from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.control.access import decide
from holdfast.control.store.engine import ExpiredError, StoreError, UnknownOutcomeError

Context = grpc.aio.ServicerContext[Any, Any]
Authenticate = Callable[[Context], Awaitable[Identity]]
Unary = Callable[[Any, Context], Awaitable[Any]]
Streaming = Callable[[Any, Context], AsyncIterator[Any]]
log = structlog.get_logger()


def unary(name: str, authenticate: Authenticate, method: Callable[..., Awaitable[Any]]) -> Unary:
    """A handler for `method(request, identity)`. name: "Resources/Get", for the log."""

    async def handle(request: Any, context: Context) -> Any:
        try:
            return await method(request, await authenticate(context))
        except ApiError as error:
            await wire.abort(context, error)
        except StoreError as error:
            await wire.abort(context, store_refusal(error))
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:
            await wire.abort(context, internal(name, error))

    return handle


def streaming(
    name: str, authenticate: Authenticate, method: Callable[..., AsyncIterator[Any]]
) -> Streaming:
    """A handler for a generator `method(request, identity, again)`; `again()` authenticates
    once more, because a stream outlives certificates."""

    async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            identity = await authenticate(context)
            async for reply in method(request, identity, lambda: authenticate(context)):
                yield reply
        except ApiError as error:
            await wire.abort(context, error)
        except StoreError as error:
            await wire.abort(context, store_refusal(error))
        except (asyncio.CancelledError, GeneratorExit, grpc.aio.AbortError):
            raise
        except Exception as error:
            await wire.abort(context, internal(name, error))

    return handle


def allow(identity: Identity, verb: str, resource: str, **details: Any) -> None:
    """Raises ApiError Forbidden unless `access.decide` allows it; details as there."""
    decision = decide(identity, verb, resource, **details)
    if not decision.allowed:
        name = str(details.get("name", ""))
        raise ApiError(Reason.FORBIDDEN, decision.reason, resource, name)


def store_refusal(error: StoreError) -> ApiError:
    """A failure of the store in the API's words."""
    if isinstance(error, ExpiredError):
        return ApiError(Reason.EXPIRED, str(error))
    if isinstance(error, UnknownOutcomeError):
        return ApiError(Reason.UNKNOWN_OUTCOME, str(error))
    return ApiError(Reason.UNAVAILABLE, str(error))


def internal(name: str, error: Exception) -> ApiError:
    """A bug: into the log with its traceback, to the caller with the id it has there."""
    number = os.urandom(6).hex()
    log.error("internal error", method=name, id=number, exc_info=error)
    return ApiError(Reason.INTERNAL, f"internal error, see the control node's log, id {number}")
