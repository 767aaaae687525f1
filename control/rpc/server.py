"""The gRPC server of a control node: its listeners, health, reflection, and a graceful end.

Built by control/main: `serve` with the handlers of all services. Every listener carries every
service; which callers it takes is said by its credentials.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from holdfast.api.transport import server as transport
from holdfast.control.rpc.limits import BOUNDS, STOP_GRACE_S


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen. address: "host:port" (port 0 = any free one) or "unix:/path".

    credentials: None = no TLS, which is for unix sockets and tests.
    """

    address: str
    credentials: ssl.SSLContext | None = None


class ListenError(Exception):
    """A listener could not be opened: one sentence that names its address."""


class Server:
    """A running server. addresses: as listened on, with real port numbers."""

    def __init__(self, server: transport.Server, health: health_aio.HealthServicer) -> None:
        self.addresses: list[str] = []
        self._server = server
        self._health = health

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Say "not serving", let calls under way finish for so long, then cut them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def wait(self) -> None:
        """Until the server has stopped."""
        await self._server.wait_for_termination()


async def serve(
    listeners: Sequence[Listener],
    handlers: Sequence[grpc.GenericRpcHandler],
    services: Sequence[str],
) -> Server:
    """Start serving. services: the full names, for health and reflection.

    Raises ListenError when an address cannot be used; then nothing is left open.
    """
    server = transport.Server(BOUNDS)
    server.add_generic_rpc_handlers(handlers)
    health = health_aio.HealthServicer()
    grpc_server: Any = server  # in all that generated code asks of one
    health_pb2_grpc.add_HealthServicer_to_server(health, grpc_server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    names = (*services, health_name, reflection.SERVICE_NAME)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
        reflection.aio.ReflectionServicer(names), grpc_server
    )
    running = Server(server, health)
    try:
        for listener in listeners:
            running.addresses.append(await _listen(server, listener))
    except BaseException:
        await server.stop()
        raise
    for name in ("", *services):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    return running


async def _listen(server: transport.Server, listener: Listener) -> str:
    try:
        return await server.listen(listener.address, listener.credentials)
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise ListenError(f"cannot listen on {listener.address}: {why}") from None
