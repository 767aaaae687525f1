"""Get and List: from the cache, linearizable by the engine's barrier, pages from the history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from holdfast.api import codec, kinds
from holdfast.api.errors import ApiError, Reason, not_found
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache import Cache, Entry
from holdfast.control.registry.subresources import scale_of
from holdfast.control.rpc.doors import allow
from holdfast.control.rpc.objects.paging import Page, page_of, token_of
from holdfast.control.rpc.objects.selection import Selection
from holdfast.control.store.commands import Key
from holdfast.control.store.engine import Engine, ExpiredError

SLICE_S = 0.008
"""Longest time that a list holds the loop."""
PAGE_ROWS_MAX = 500
"""Rows read from the history at a time."""


class Reader:
    """The reading methods of the Resources service."""

    def __init__(self, engine: Engine, cache: Cache) -> None:
        self._engine = engine
        self._cache = cache

    async def get(
        self, request: resources_pb2.GetRequest, identity: Identity
    ) -> resources_pb2.ObjectReply:
        """One object, or the Scale of one."""
        kind = kinds.require_built(kinds.by_resource(request.resource))
        kinds.subresource_message(kind, request.subresource)
        allow(
            identity,
            "get",
            request.resource,
            namespace=request.namespace,
            name=request.name,
            subresource=request.subresource,
            view=self._cache,
        )
        if not request.stale:
            await self._engine.barrier()
        entry = self._cache.get(request.resource, request.namespace, request.name)
        if entry is None:
            raise not_found(request.resource, request.name)
        return resources_pb2.ObjectReply(
            object=shown(entry, request.subresource), revision=entry.revision
        )

    async def listing(
        self, request: resources_pb2.ListRequest, identity: Identity
    ) -> resources_pb2.ListReply:
        """Objects at one revision, whole or a page of them."""
        selection = Selection(request)
        self.allow(identity, "list", selection)
        if request.limit < 0:
            raise ApiError(Reason.BAD_REQUEST, f"limit must not be negative, not {request.limit}")
        if request.continue_token:
            return await self._next_page(request, selection)
        if not request.stale:
            await self._engine.barrier()
        return await self._first_page(request, selection)

    def allow(self, identity: Identity, verb: str, selection: Selection) -> None:
        """Raises ApiError Forbidden unless the caller may see what is selected."""
        allow(
            identity,
            verb,
            selection.kind.resource,
            namespace=selection.namespace,
            fields_required=selection.required,
            view=self._cache,
        )

    def candidates(self, selection: Selection) -> list[Entry]:
        """The entries among which the selected ones are, from the narrowest index there is."""
        resource = selection.kind.resource
        node = selection.required.get("spec.nodeName")
        if resource == "pods" and node:
            entries = self._cache.by_index(resource, "spec.nodeName", node)
            if not selection.namespace:
                return list(entries)
            return [entry for entry in entries if entry.key.namespace == selection.namespace]
        return self._cache.list(resource, selection.namespace)

    async def _first_page(
        self, request: resources_pb2.ListRequest, selection: Selection
    ) -> resources_pb2.ListReply:
        revision = self._cache.revision
        entries = self.candidates(selection)
        limit = request.limit or len(entries)
        reply = resources_pb2.ListReply(revision=revision)
        last: Key | None = None
        async for entry in _sliced(entries):
            if not selection.matches(entry.message):
                continue
            if len(reply.objects) == limit:
                assert last is not None
                remaining = len(entries) - limit if selection.whole else -1
                _continue(reply, selection, last, remaining)
                break
            reply.objects.append(entry.wire)
            last = entry.key
        return reply

    async def _next_page(
        self, request: resources_pb2.ListRequest, selection: Selection
    ) -> resources_pb2.ListReply:
        page = page_of(request.continue_token, request.resource, selection.namespace)
        limit = request.limit or PAGE_ROWS_MAX
        reply = resources_pb2.ListReply(revision=page.revision)
        after = Key(request.resource, page.namespace, page.name)
        wanted = min(limit, PAGE_ROWS_MAX) + 1
        last = after
        while True:
            rows = await self._rows(selection, page.revision, after, wanted)
            for row in rows:
                message = selection.kind.message.FromString(row.value)
                if selection.matches(message):
                    if len(reply.objects) == limit:
                        remaining = page.remaining - limit if page.remaining >= 0 else -1
                        _continue(reply, selection, last, remaining)
                        return reply
                    reply.objects.append(codec.with_revision(row.value, row.revision))
                last = row.key
            if len(rows) < wanted:
                return reply
            after = rows[-1].key

    async def _rows(self, selection: Selection, revision: int, after: Key, limit: int) -> Any:
        try:
            return await self._engine.page(
                selection.kind.resource, selection.namespace, revision, after, limit
            )
        except ExpiredError:
            message = f"the list is of revision {revision}, which is too old: start it again"
            raise ApiError(Reason.EXPIRED, message) from None


def _continue(
    reply: resources_pb2.ListReply, selection: Selection, last: Key, remaining: int
) -> None:
    page = Page(
        reply.revision,
        selection.kind.resource,
        selection.namespace,
        last.namespace,
        last.name,
        remaining,
    )
    reply.continue_token = token_of(page)
    reply.remaining = max(0, remaining)


def shown(entry: Entry, subresource: str) -> bytes:
    """The bytes that a caller of this subresource gets."""
    if subresource != "scale":
        return entry.wire
    scale = scale_of(entry.message)
    scale.metadata.resourceVersion = str(entry.revision)
    return scale.SerializeToString()


async def _sliced(entries: list[Entry]) -> Any:
    """The entries, giving way to others every few milliseconds."""
    loop = asyncio.get_running_loop()
    slice_ends_at = loop.time() + SLICE_S
    for batch in _parts(entries, 64):
        for entry in batch:
            yield entry
        if loop.time() > slice_ends_at:
            await asyncio.sleep(0)
            slice_ends_at = loop.time() + SLICE_S


def _parts(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
