"""The Cluster service: the state of the whole, and changes of the group of control nodes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import grpc

from holdfast.api.identity import Identity
from holdfast.api.objects import conditions
from holdfast.api.rpc.v1 import cluster_pb2
from holdfast.control.cache import Cache
from holdfast.control.rpc import members
from holdfast.control.rpc.doors import Authenticate, Require, anywhere, led_by, unary
from holdfast.control.store.engine import Engine

NAME = "holdfast.api.rpc.v1.Cluster"


class ClusterService:
    """The service on one control node. `handler` goes into a server."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        authenticate: Authenticate,
        group: members.Group,
        require: Require = anywhere,
    ) -> None:
        """require: passes at the leader."""
        self._engine = engine
        self._cache = cache
        self._authenticate = authenticate
        self._group = group
        self._require = require
        self._version = program_version()

    def handler(self) -> grpc.GenericRpcHandler:
        """The service's methods for a server."""
        who = self._authenticate
        request = cluster_pb2.ClusterStatusRequest
        handlers = {"Status": unary("Cluster/Status", who, request, self.status)}
        changes = members.MembersMethods(self._group)
        for name, method in (
            ("RemoveMember", changes.remove),
            ("PromoteMember", changes.promote),
            ("TransferLeadership", changes.transfer),
        ):
            led = led_by(self._require, method)
            handlers[name] = unary(f"Cluster/{name}", who, cluster_pb2.MemberRequest, led)
        return grpc.method_handlers_generic_handler(NAME, handlers)

    async def status(
        self, _request: cluster_pb2.ClusterStatusRequest, _identity: Identity
    ) -> cluster_pb2.ClusterStatusReply:
        """The figures of now; everybody who is known may ask."""
        figures = self._engine.status()
        nodes = [entry.message for entry in self._cache.list("nodes")]
        ready = sum(conditions.is_true(node.status.conditions, "Ready") for node in nodes)
        group = self._group.members()
        return cluster_pb2.ClusterStatusReply(
            cluster_id=figures.cluster_id,
            version=self._version,
            revision=figures.revision,
            floor_revision=figures.floor,
            term=figures.term,
            objects=figures.objects,
            database_bytes=figures.database_bytes,
            nodes=len(nodes),
            nodes_ready=ready,
            leader=next((one.member.name for one in group if one.leads), ""),
            members=[members.shown(one) for one in group],
        )


def program_version() -> str:
    """The version of this program, "unknown" when it runs uninstalled."""
    try:
        return version("holdfast")
    except PackageNotFoundError:
        return "unknown"
