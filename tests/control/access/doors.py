"""A control node's doors as they are built in production: real store, certificates and listeners.

`open_doors` serves Access and a service that says who is calling, on both listeners.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import randbelow
from typing import Any

import grpc

from holdfast.api import wire
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError
from holdfast.api.identity import Identity
from holdfast.api.rpc.v1 import cluster_pb2_grpc
from holdfast.api.rpc.v1.resources_pb2 import KindsReply, KindsRequest
from holdfast.control.access import Authenticator
from holdfast.control.access.ca import Authority, Lifetimes, open_authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.access.revocations import Revocations
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.cache import Cache
from holdfast.control.rpc import access
from holdfast.control.rpc.access import AccessService, Doors
from holdfast.control.rpc.doors import unary
from holdfast.control.rpc.server import Listener, Server, serve
from holdfast.control.store.raft_engine import RaftEngine

STARTED_AT = 1_790_000_000.0


@dataclass
class Clock:
    """Unix seconds that a test moves. gRPC's own TLS checks use the machine's clock."""

    now: float = STARTED_AT

    def __call__(self) -> float:
        return self.now


@dataclass
class Open:
    """What runs, and what tests look at."""

    clock: Clock
    engine: RaftEngine
    cache: Cache
    authority: Authority
    tokens: JoinTokens
    revocations: Revocations
    authenticator: Authenticator
    certificate: ServerCertificate
    server: Server | None = None
    connected: set[str] = field(default_factory=set)
    endpoints: list[str] = field(default_factory=list)

    @property
    def mutual(self) -> str:
        assert self.server is not None
        return self.server.addresses[0]

    @property
    def tokens_at(self) -> str:
        assert self.server is not None
        return self.server.addresses[1]

    def admin(self) -> Endpoint:
        return self.authority.admin([self.mutual])


async def _say(_request: Any, identity: Identity) -> KindsReply:
    """The caller's name and groups, in a message that has room for words."""
    reply = KindsReply()
    reply.kinds.add(short_names=(identity.name, *identity.groups))
    return reply


def _who(opened: Open) -> grpc.GenericRpcHandler:
    am = unary("Who/Am", opened.authenticator.authenticate, KindsRequest, _say)
    return grpc.method_handlers_generic_handler("Who", {"Am": am})


@asynccontextmanager
async def open_doors(
    folder: Path,
    clock: Clock,
    lifetimes: Lifetimes = Lifetimes(),  # noqa: B008
    handlers: Sequence[Any] = (),
) -> AsyncIterator[Open]:
    """handlers: functions from Open to a further service's handler."""
    rng = Random(7)
    authority = open_authority(folder, clock, rng, lifetimes)
    engine = RaftEngine(folder / "store", randbelow, cluster_id="test")
    cache = Cache(engine, verify=True)
    revocations = Revocations(engine, cache)
    authenticator = Authenticator(authority.certificate, revocations, clock)
    tokens = JoinTokens(engine, clock, rng, authority.pem)
    certificate = ServerCertificate(authority, ["control.test"])
    await engine.start()
    opened = Open(clock, engine, cache, authority, tokens, revocations, authenticator, certificate)
    doors = Doors(
        authority,
        tokens,
        revocations,
        authenticator.authenticate,
        opened.connected.__contains__,
        lambda: ("control.test:6444",),
    )
    opened.server = await serve(
        [
            Listener("127.0.0.1:0", certificate.mutual_tls()),
            Listener("127.0.0.1:0", certificate.server_tls()),
        ],
        [
            AccessService(doors, clock, rng).handler(),
            _who(opened),
            *(make(opened) for make in handlers),
        ],
        [access.NAME],
    )
    try:
        yield opened
    finally:
        await opened.server.stop(0)
        await engine.stop()


def channel(address: str, endpoint: Endpoint) -> grpc.aio.Channel:
    """A connection as a client makes it."""
    credentials = grpc.ssl_channel_credentials(
        endpoint.ca_pem, endpoint.key_pem, endpoint.certificate_pem
    )
    return grpc.aio.secure_channel(address, credentials, options=(("grpc.enable_http_proxy", 0),))


async def who(address: str, endpoint: Endpoint, header: str = "") -> str:
    """Whom the control node takes this caller for. Raises ApiError."""
    async with channel(address, endpoint) as connection:
        return await who_on(connection, header)


async def who_on(connection: grpc.aio.Channel, header: str = "") -> str:
    """As `who`, on a connection that stands."""
    metadata = (("authorization", header),) if header else None
    try:
        call: Any = connection.unary_unary("/Who/Am")
        answer: bytes = await call(b"", metadata=metadata, timeout=5)
    except grpc.aio.AioRpcError as error:
        raise wire.from_rpc_error(error) from None
    return " ".join(KindsReply.FromString(answer).kinds[0].short_names)


async def call(address: str, endpoint: Endpoint, method: str, request: Any) -> Any:
    """Call a method of Access. Raises ApiError."""
    async with channel(address, endpoint) as connection:
        stub = cluster_pb2_grpc.AccessStub(connection)
        try:
            return await getattr(stub, method)(request, timeout=5)
        except grpc.aio.AioRpcError as error:
            raise wire.from_rpc_error(error) from None


async def refused(awaitable: Any) -> ApiError:
    """The ApiError that this raises."""
    try:
        await awaitable
    except ApiError as error:
        return error
    raise AssertionError("nothing was refused")
