"""The gRPC server of a control node: its listeners, health, reflection, and a graceful end.

Built by control/main: `serve` with the handlers of all services. Every listener carries every
service; which callers it takes is said by its credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from holdfast.control.rpc.limits import SERVER_OPTIONS, STOP_GRACE_S


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen. address: "host:port" (port 0 = any free one) or "unix:/path".

    credentials: None = no TLS, which is for unix sockets and tests.
    """

    address: str
    credentials: grpc.ServerCredentials | None = None


class ListenError(Exception):
    """A listener could not be opened: one sentence that names its address."""


class Server:
    """A running server. addresses: as listened on, with real port numbers."""

    def __init__(self, server: grpc.aio.Server, health: health_aio.HealthServicer) -> None:
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
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers(tuple(handlers))
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    names = (*services, health_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    running = Server(server, health)
    try:
        running.addresses = [_listen(server, listener) for listener in listeners]
        await server.start()
    except BaseException:
        await server.stop(None)
        raise
    for name in ("", *services):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    return running


def _listen(server: grpc.aio.Server, listener: Listener) -> str:
    address = listener.address
    try:
        if listener.credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, listener.credentials)
    except RuntimeError:
        port = 0
    if port == 0 and not address.startswith("unix:"):
        raise ListenError(f"cannot listen on {address}: the port is taken, or not ours to use")
    if address.startswith("unix:"):
        return address
    return f"{address.rpartition(':')[0]}:{port}"
