"""Cluster.Backup: a backup file, streamed while the cluster works on.

All objects as they are at one revision, chosen when the call begins: it covers every write that
was acknowledged before. With them goes the cluster's authority, key and all, because a cluster
without it could let nobody in; so this is for the administrator alone. Objects are read in pages
(`store.backup.slices`), a few milliseconds of the loop each, and nothing is gathered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, NamedTuple

import grpc

from holdfast.api.backup.format import Encoder
from holdfast.api.backup.v1 import backup_pb2
from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import cluster_pb2
from holdfast.api.tls import keys
from holdfast.control.access.ca import Authority
from holdfast.control.cache import Cache
from holdfast.control.rpc.cluster import NAME, program_version
from holdfast.control.rpc.doors import Authenticate, allow, streaming
from holdfast.control.store.backup.slices import slices
from holdfast.control.store.commands import Row
from holdfast.control.store.engine import Engine

BACKUPS = "backups.holdfast.dev"
"""The name by which `decide` judges this call; backups are no objects of the API."""
AT_ONCE_MAX = 2
"""Backups under way on one control node."""


class _Moment(NamedTuple):
    """What the store is at one revision: taken in one turn of the loop."""

    revision: int
    objects: int
    resources: Sequence[str]


class BackupService:
    """The Backup method of holdfast.api.rpc.v1.Cluster. `handler` goes into a server."""

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        authority: Authority,
        authenticate: Authenticate,
        clock: Callable[[], float],
    ) -> None:
        """clock: Unix seconds."""
        self._engine = engine
        self._cache = cache
        self._authority = authority
        self._authenticate = authenticate
        self._clock = clock
        self._under_way = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """For `server.add_generic_rpc_handlers`, beside that of the service's other methods."""
        request = cluster_pb2.BackupRequest
        method = streaming("Cluster/Backup", self._authenticate, request, self.backup)
        return grpc.method_handlers_generic_handler(NAME, {"Backup": method})

    async def backup(
        self,
        _request: cluster_pb2.BackupRequest,
        identity: Identity,
        _again: Callable[[], Awaitable[Any]],
    ) -> AsyncIterator[bytes]:
        """The pieces of a backup. Raises ApiError and StoreError."""
        allow(identity, "create", BACKUPS)
        with self._one_of_few():
            await self._engine.barrier()
            async with aclosing(self._pieces(self._moment())) as pieces:
                async for data in pieces:
                    yield cluster_pb2.BackupReply(data=data).SerializeToString()

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE_MAX:
            message = f"{AT_ONCE_MAX} backups are under way: wait until one has ended"
            raise ApiError(Reason.TOO_MANY_REQUESTS, message)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _moment(self) -> _Moment:
        engine = self._engine
        return _Moment(engine.revision, engine.status().objects, self._cache.resources())

    async def _pieces(self, moment: _Moment) -> AsyncGenerator[bytes, None]:
        encoder = Encoder()
        yield encoder.begin(self._header(moment.revision))
        read = slices(self._engine, moment.revision, moment.resources)
        async with aclosing(read) as found:
            async for resource, rows in found:
                for piece in encoder.objects(resource, list(map(_object, rows))):
                    yield piece
        if encoder.count != moment.objects:
            # Rather none than one that lacks something.
            message = f"the backup found {encoder.count} objects of {moment.objects}: try again"
            raise ApiError(Reason.INTERNAL, message)
        yield encoder.end()

    def _header(self, revision: int) -> backup_pb2.Header:
        authority = self._authority
        return backup_pb2.Header(
            cluster_id=self._engine.status().cluster_id,
            revision=revision,
            created_at_ms=int(self._clock() * 1000),
            version=program_version(),
            authority=backup_pb2.Authority(
                certificate_pem=authority.pem, key_pem=keys.to_pem(authority.key)
            ),
        )


def _object(row: Row) -> backup_pb2.Object:
    _, namespace, name = row.key
    return backup_pb2.Object(
        namespace=namespace,
        name=name,
        revision=row.revision,
        created=row.created,
        value=row.value,
    )
