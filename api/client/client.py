"""The async client of the Resources and Cluster services: what the CLI, the node agent, netproxy
and the benches use.

Objects go in and come out as messages; every refusal is an ApiError. Each write carries a fresh
request id, so that one tried again at another control node happens once. Calls follow the leader
(`pursuit`); a watch is served by whichever control node is in use.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from holdfast.api import kinds
from holdfast.api.client import decoding
from holdfast.api.client.caller import Caller
from holdfast.api.client.events import Event, EventType, Listed, Outcome, Write
from holdfast.api.client.pursuit import Pursuit
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import resources_pb2

BATCH_WRITES_MAX = 1000
PAGE_OBJECTS = 500

_SERVICE = "/holdfast.api.rpc.v1.Resources/"
_PATCH_TYPES = {
    "json": resources_pb2.JSON_PATCH,
    "merge": resources_pb2.MERGE_PATCH,
    "strategic": resources_pb2.STRATEGIC_PATCH,
}
_PROPAGATION = {
    "Background": resources_pb2.BACKGROUND,
    "Foreground": resources_pb2.FOREGROUND,
    "Orphan": resources_pb2.ORPHAN,
}


class Client(Caller):
    """One identity's access to the cluster. Connects when first used; `close` it."""

    async def create(
        self,
        resource: str,
        message: Message,
        namespace: str = "",
        *,
        dry_run: bool = False,
        subresource: str = "",
        name: str = "",
    ) -> Any:
        """Create an object (or, with subresource "binding", bind the pod `name`); as stored."""
        request = resources_pb2.CreateRequest(
            resource=resource,
            namespace=namespace,
            object=message.SerializeToString(),
            subresource=subresource,
            name=name,
            options=self._options(dry_run),
        )
        return self._object(resource, await self._call("Create", request))

    async def get(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        stale: bool = False,
    ) -> Any:
        """One object. stale: any cached state will do."""
        request = resources_pb2.GetRequest(
            resource=resource, namespace=namespace, name=name, subresource=subresource, stale=stale
        )
        return self._object(resource, await self._call("Get", request), subresource)

    async def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
        stale: bool = False,
    ) -> Listed:
        """Objects at one revision, read in pages. namespace "" = all. limit > 0: one page of at
        most that many, with the token of the next."""
        request = resources_pb2.ListRequest(
            resource=resource,
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            limit=limit or PAGE_OBJECTS,
            continue_token=continue_token,
            stale=stale,
        )
        kind = kinds.by_resource(resource)
        objects: list[Any] = []
        while True:
            reply = await self._call("List", request)
            objects += [kind.message.FromString(data) for data in reply.objects]
            if limit or not reply.continue_token:
                return Listed(objects, reply.revision, reply.continue_token)
            request.continue_token = reply.continue_token

    async def update(
        self,
        resource: str,
        message: Any,
        *,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Any:
        """Write an object over the one that is there. A metadata.resourceVersion in it is a
        precondition."""
        request = resources_pb2.UpdateRequest(
            resource=resource,
            namespace=namespace or message.metadata.namespace,
            name=name or message.metadata.name,
            object=message.SerializeToString(),
            subresource=subresource,
            options=self._options(dry_run),
        )
        return self._object(resource, await self._call("Update", request), subresource)

    async def patch(
        self,
        resource: str,
        name: str,
        namespace: str,
        type: str,  # noqa: A002
        body: bytes,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Any:
        """Patch an object. type: "json", "merge" or "strategic"; body: JSON."""
        request = resources_pb2.PatchRequest(
            resource=resource,
            namespace=namespace,
            name=name,
            type=_known(_PATCH_TYPES, type, "patch type"),
            patch=body,
            subresource=subresource,
            options=self._options(dry_run),
        )
        return self._object(resource, await self._call("Patch", request), subresource)

    async def delete(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_period_s: int | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> Any:
        """Delete an object; its last state, or the state in which it waits for its end."""
        options = self._delete_options(uid, grace_period_s, propagation, dry_run)
        request = resources_pb2.DeleteRequest(
            resource=resource, namespace=namespace, name=name, options=options
        )
        return self._object(resource, await self._call("Delete", request))

    async def delete_collection(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        grace_period_s: int | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> int:
        """Delete what the selectors match; how many."""
        options = self._delete_options("", grace_period_s, propagation, dry_run)
        request = resources_pb2.DeleteCollectionRequest(
            resource=resource,
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            options=options,
        )
        reply = await self._call("DeleteCollection", request)
        return int(reply.deleted)

    async def batch(
        self,
        writes: Sequence[Write],
        *,
        atomic: bool = False,
        dry_run: bool = False,
    ) -> builtins.list[Outcome]:
        """Many writes in one call, one outcome each, in order; at most BATCH_WRITES_MAX."""
        request = resources_pb2.BatchRequest(atomic=atomic)
        self.fill(request, writes, dry_run=dry_run)
        return decoding.outcomes(await self._call("Batch", request))

    def fill(
        self, request: resources_pb2.BatchRequest, writes: Sequence[Write], *, dry_run: bool = False
    ) -> None:
        """Put writes of this client into a request that travels by another way."""
        request.options.MergeFrom(self._options(dry_run))
        for write in writes:
            decoding.batch_write(request.writes.add(), write)

    async def watch(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        after: int = 0,
        latest_only: bool = False,
    ) -> AsyncIterator[builtins.list[Event]]:
        """Batches of changes after a revision, a commit never split over two of them.

        after 0: the objects there are as ADDED, then a bookmark, then changes. When its control
        node is lost it goes on with another one, if there is one, after what it told last. Ends
        when the server ends it; ApiError Expired when the revision is too old.
        """
        request = resources_pb2.WatchRequest(
            resource=resource,
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            after_revision=after,
            latest_only=latest_only,
        )
        pursuit: Pursuit | None = None
        while True:
            address = self._channels.address
            try:
                async for batch in self._watched(request):
                    pursuit = None
                    yield batch
                    if (request.after_revision and batch) or _is_whole(batch):
                        request.after_revision = batch[-1].revision
            except grpc.aio.AioRpcError as error:
                if not request.after_revision:  # what it told is not the whole yet
                    raise self.refusal(error, address) from None
                pursuit = pursuit or self._pursuit()
                await self._go_on(pursuit, error, address)
            else:
                return

    async def _watched(
        self, request: resources_pb2.WatchRequest
    ) -> AsyncIterator[builtins.list[Event]]:
        """One call of Watch. Raises AioRpcError."""
        kind, address = kinds.by_resource(request.resource), self._channels.address
        call = self._method("Watch", stream=True)(request, metadata=self.metadata())
        try:
            async for reply in call:
                self._channels.answered(address)
                await self._learn()
                yield [decoding.event(kind, item) for item in reply.events]
        finally:
            call.cancel()

    async def kinds(self) -> builtins.list[resources_pb2.Kind]:
        """The kinds that this control node serves."""
        reply = await self._call("Kinds", resources_pb2.KindsRequest())
        return list(reply.kinds)

    def _options(self, dry_run: bool) -> resources_pb2.WriteOptions:
        return resources_pb2.WriteOptions(
            dry_run=dry_run,
            field_manager=self._manager,
            request_id=os.urandom(16),
        )

    def _delete_options(
        self,
        uid: str,
        grace_period_s: int | None,
        propagation: str,
        dry_run: bool,
    ) -> resources_pb2.DeleteOptions:
        return resources_pb2.DeleteOptions(
            uid=uid,
            grace_period_s=grace_period_s,
            propagation=_known(_PROPAGATION, propagation, "propagation policy"),
            write=self._options(dry_run),
        )

    def _object(self, resource: str, reply: Any, subresource: str = "") -> Any:
        return decoding.message_type(resource, subresource).FromString(reply.object)

    def _method(self, name: str, *, stream: bool = False) -> Any:
        path = name if name.startswith("/") else _SERVICE + name
        channel = self._channels.channel()
        make = channel.unary_stream if stream else channel.unary_unary
        return make(
            path,
            request_serializer=decoding.serialize,
            response_deserializer=decoding.REPLIES[path.rpartition("/")[2]],
        )

    async def _call(self, name: str, request: Message) -> Any:
        path = name if name.startswith("/") else _SERVICE + name
        return await self.unary(path, request, decoding.REPLIES[path.rpartition("/")[2]])


def _is_whole(batch: Sequence[Event]) -> bool:
    """Whether the objects there were have all been told."""
    return bool(batch) and batch[-1].type is EventType.BOOKMARK


def _known(table: dict[str, Any], word: str, what: str) -> Any:
    value = table.get(word)
    if value is None:
        choices = ", ".join(table)
        raise ApiError(Reason.BAD_REQUEST, f'unknown {what} "{word}": it is one of {choices}')
    return value
