"""The Cluster service: the state of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import grpc

from holdfast.api.identity import Identity
from holdfast.api.objects import conditions
from holdfast.api.rpc.v1 import cluster_pb2
from holdfast.control.cache import Cache
from holdfast.control.rpc.doors import Authenticate, unary
from holdfast.control.store.engine import Engine

NAME = "holdfast.api.rpc.v1.Cluster"


@dataclass(frozen=True, slots=True)
class Member:
    """This control node, as it is known to others. endpoint: host:port of its API."""

    id: str
    name: str
    endpoint: str


class ClusterService:
    """The service on one control node. `handler` goes into a server."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        authenticate: Authenticate,
        members: Sequence[Member],
    ) -> None:
        """members: the control nodes, this one first."""
        self._engine = engine
        self._cache = cache
        self._authenticate = authenticate
        self._members = tuple(members)
        self._version = program_version()

    def handler(self) -> grpc.GenericRpcHandler:
        """The service's methods for a server."""
        request = cluster_pb2.ClusterStatusRequest
        status = unary("Cluster/Status", self._authenticate, request, self.status)
        return grpc.method_handlers_generic_handler(NAME, {"Status": status})

    async def status(
        self, _request: cluster_pb2.ClusterStatusRequest, _identity: Identity
    ) -> cluster_pb2.ClusterStatusReply:
        """The figures of now; everybody who is known may ask."""
        figures = self._engine.status()
        nodes = [entry.message for entry in self._cache.list("nodes")]
        ready = sum(conditions.is_true(node.status.conditions, "Ready") for node in nodes)
        reply = cluster_pb2.ClusterStatusReply(
            cluster_id=figures.cluster_id,
            version=self._version,
            revision=figures.revision,
            floor_revision=figures.floor,
            term=figures.term,
            objects=figures.objects,
            database_bytes=figures.database_bytes,
            nodes=len(nodes),
            nodes_ready=ready,
        )
        for index, member in enumerate(self._members):
            leads = index == 0 and figures.leader
            reply.members.add(
                id=member.id, name=member.name, endpoint=member.endpoint, leader=leads
            )
            if leads:
                reply.leader = member.name
        return reply


def program_version() -> str:
    """The version of this program, "unknown" when it runs uninstalled."""
    try:
        return version("holdfast")
    except PackageNotFoundError:
        return "unknown"
