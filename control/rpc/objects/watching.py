"""Watch: batches of the hub's events as they come, already encoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache.hub import Hub
from holdfast.control.rpc.objects.reading import Reader
from holdfast.control.rpc.objects.selection import Selection

ASK_AGAIN_S = 30.0
"""A watch that sends something asks this often whether its caller is still welcome."""


class Watches:
    """The Watch method of the Resources service."""

    def __init__(self, hub: Hub, reader: Reader) -> None:
        self._hub = hub
        self._reader = reader

    async def watch(
        self,
        request: resources_pb2.WatchRequest,
        identity: Identity,
        again: Callable[[], Awaitable[Identity]],
    ) -> AsyncIterator[bytes]:
        """Serialized WatchReplies, until the caller goes, is not welcome any more, or is too
        slow to be served from history (ApiError Expired)."""
        selection = Selection(request)
        self._reader.allow(identity, "watch", selection)
        if request.after_revision < 0:
            message = f"after_revision must not be negative, not {request.after_revision}"
            raise ApiError(Reason.BAD_REQUEST, message)
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + ASK_AGAIN_S
        watcher = self._hub.watch(
            selection.kind.resource,
            namespace=selection.namespace,
            labels=selection.labels,
            fields=selection.fields,
            after=request.after_revision,
            latest_only=request.latest_only,
        )
        try:
            while True:
                batch = await watcher.next()
                if loop.time() >= ask_at:
                    await again()
                    ask_at = loop.time() + ASK_AGAIN_S
                yield b"".join([event.encoded for event in batch.events])
        finally:
            watcher.close()
