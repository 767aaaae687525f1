"""The service of a bench's member: commits as bytes, revisions back, and how it stands.

Commit takes `records.encode([commit])` and answers a signed 64-bit revision a write, 0 = refused.
Stand answers JSON. Names answers the names of all keys, after a barrier. Whoever does not lead
answers Commit and Names with FAILED_PRECONDITION: nothing was done.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from holdfast.control.store import records
from holdfast.control.store.commands import Commit
from holdfast.control.store.engine import Engine, NotLeaderError, StoreError

NAME = "bench.Members"
COMMIT, STAND, NAMES = (f"/{NAME}/{one}" for one in ("Commit", "Stand", "Names"))
RESOURCE = "~bench"

Context = grpc.aio.ServicerContext[Any, Any]


def handler(engine: Engine) -> grpc.GenericRpcHandler:
    """The service on an engine."""
    methods = {
        "Commit": lambda data: _commit(engine, data),
        "Stand": lambda _: _stand(engine),
        "Names": lambda _: _names(engine),
    }
    return grpc.method_handlers_generic_handler(
        NAME,
        {
            name: grpc.unary_unary_rpc_method_handler(_door(method))
            for name, method in methods.items()
        },
    )


def _door(method: Callable[[bytes], Awaitable[bytes]]) -> Callable[..., Awaitable[bytes]]:
    async def handle(data: bytes, context: Context) -> bytes:
        try:
            return await method(data)
        except NotLeaderError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except StoreError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        raise AssertionError("abort has raised")

    return handle


async def _commit(engine: Engine, data: bytes) -> bytes:
    [commit] = records.decode(data)
    assert isinstance(commit, Commit)
    result = await engine.commit(commit)
    return struct.pack(f"<{len(result.outcomes)}q", *(one.revision for one in result.outcomes))


async def _stand(engine: Engine) -> bytes:
    status = engine.status()
    return json.dumps({"leads": status.leader, "revision": status.revision}).encode()


async def _names(engine: Engine) -> bytes:
    await engine.barrier()
    names = []
    for number, row in enumerate(engine.rows(RESOURCE)):
        names.append(row.key.name)
        if number % 1_000 == 0:
            await asyncio.sleep(0)
    return "\n".join(names).encode()
