"""The Resources service: one door to every object.

Joins the readers and writers beside this file to gRPC. Watch sends bytes that the hub encoded once
for all watchers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from holdfast.api import kinds
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache import Cache
from holdfast.control.cache.hub import Hub
from holdfast.control.eventshare import EventShare
from holdfast.control.registry import Registry
from holdfast.control.rpc.doors import (
    Authenticate,
    Require,
    anywhere,
    led_by,
    streaming,
    unary,
)
from holdfast.control.rpc.objects.patching import Patcher
from holdfast.control.rpc.objects.reading import Reader
from holdfast.control.rpc.objects.watching import Watches
from holdfast.control.rpc.objects.writing import Writer
from holdfast.control.store.engine import Engine

NAME = "holdfast.api.rpc.v1.Resources"


class ResourcesService:
    """The service on one control node. `handler` goes into a server."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        hub: Hub,
        registry: Registry,
        authenticate: Authenticate,
        event_share: EventShare,
        require: Require = anywhere,
    ) -> None:
        """authenticate: who is calling; raises ApiError Unauthorized. require: passes where
        writes are taken."""
        reader = Reader(engine, cache)
        writer = Writer(registry, cache, reader, event_share)
        self.batch = led_by(require, writer.batch)
        self._authenticate = authenticate
        self._watches = Watches(hub, reader)
        self._unary: dict[str, tuple[Any, Callable[..., Awaitable[Any]]]] = {
            "Get": (resources_pb2.GetRequest, reader.get),
            "List": (resources_pb2.ListRequest, reader.listing),
            "Kinds": (resources_pb2.KindsRequest, _kinds),
        }
        writes: dict[str, tuple[Any, Callable[..., Awaitable[Any]]]] = {
            "Create": (resources_pb2.CreateRequest, writer.create),
            "Update": (resources_pb2.UpdateRequest, writer.update),
            "Patch": (resources_pb2.PatchRequest, Patcher(cache, writer).patch),
            "Delete": (resources_pb2.DeleteRequest, writer.delete),
            "DeleteCollection": (resources_pb2.DeleteCollectionRequest, writer.delete_collection),
            "Batch": (resources_pb2.BatchRequest, writer.batch),
        }
        for name, (request, method) in writes.items():
            self._unary[name] = (request, led_by(require, method))

    def handler(self) -> grpc.GenericRpcHandler:
        """The service's methods for a server."""
        who = self._authenticate
        handlers = {
            name: unary(f"Resources/{name}", who, request, method)
            for name, (request, method) in self._unary.items()
        }
        handlers["Watch"] = streaming(
            "Resources/Watch", who, resources_pb2.WatchRequest, self._watches.watch
        )
        return grpc.method_handlers_generic_handler(NAME, handlers)


async def _kinds(
    _request: resources_pb2.KindsRequest, _identity: Identity
) -> resources_pb2.KindsReply:
    """The kinds that are built."""
    reply = resources_pb2.KindsReply()
    for kind in kinds.all_kinds():
        if kind.built:
            reply.kinds.add(
                resource=kind.resource,
                group=kind.group,
                version=kind.version,
                kind=kind.kind,
                plural=kind.plural,
                singular=kind.singular,
                short_names=kind.short_names,
                namespaced=kind.namespaced,
                categories=kind.categories,
                verbs=kind.verbs,
                subresources=kind.subresources,
            )
    return reply
