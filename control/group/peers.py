"""The other control nodes: the listener they call, and how this one proves to them who it is.

A listener of its own, so that Raft's messages begin as soon as the store is open and end after the
API has ended. A member's certificate names its id in the group; every control node holds the
authority, so each issues its own, in memory, and renews it in time.
"""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from holdfast.api.errors import ApiError
from holdfast.api.identity import MEMBER_PREFIX, MEMBERS, Identity, of_member
from holdfast.api.tls import certificates, keys
from holdfast.api.transport import security
from holdfast.api.transport import server as transport
from holdfast.control.access.ca import Authority
from holdfast.control.raft.wire.transport import RefusedError

CLOCK_ERROR_S = 3600.0
"""A certificate begins so much earlier, for the others judge it by their own clocks."""
BOUNDS = transport.Bounds(streams=64, request_bytes=64 << 20)

Authenticate = Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[Identity]]


class Credentials:
    """What this member shows when it calls another one. member: its id, asked at first use."""

    def __init__(self, authority: Authority, member: Callable[[], int]) -> None:
        self._authority = dataclasses.replace(
            authority, clock=lambda: authority.clock() - CLOCK_ERROR_S
        )
        self._clock = authority.clock
        self._member = member
        self._shown: tuple[bytes, bytes] | None = None
        self._renew_at = 0.0

    def current(self) -> ssl.SSLContext:
        """For a new connection."""
        now = self._clock()
        if self._shown is None or now >= self._renew_at:
            key = keys.new()
            lifetime_s = self._authority.lifetimes.server_s + CLOCK_ERROR_S
            identity = of_member(self._member())
            pem = self._authority.issue_client(identity, key.public_key(), lifetime_s)
            self._shown = pem, keys.to_pem(key)
            self._renew_at = now + self._authority.lifetimes.server_s * certificates.RENEW_SHARE
        return security.client(self._authority.pem, *self._shown)


def identify(
    authenticate: Authenticate,
) -> Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[int]]:
    """A raft.wire Identify: the member that a caller's certificate names."""

    async def member_of(context: grpc.aio.ServicerContext[Any, Any]) -> int:
        try:
            caller = await authenticate(context)
        except ApiError as error:
            raise RefusedError(error.message) from None
        if MEMBERS not in caller.groups:
            raise RefusedError(f'"{caller.name}" is no control node')
        return int(caller.name.removeprefix(MEMBER_PREFIX), 16)

    return member_of


async def listen(
    address: str, tls: ssl.SSLContext, handler: grpc.GenericRpcHandler
) -> transport.Server:
    """Serve the other members on an address. Raises OSError."""
    server = transport.Server(BOUNDS)
    server.add_generic_rpc_handlers([handler])
    await server.listen(address, tls)
    return server
