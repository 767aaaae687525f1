"""Calls of the Access service: join tokens and revocation, with refusals as ApiError."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import grpc

from holdfast.api import wire
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc

if TYPE_CHECKING:
    from holdfast.api.client import Client

Reply = TypeVar("Reply")


async def create_token(client: Client, description: str, lifetime_s: int, uses: int = 0) -> str:
    """A new join token: the only time its text is seen. uses 0 = as often as wanted."""
    request = cluster_pb2.CreateTokenRequest(
        description=description, lifetime_s=lifetime_s, uses=uses
    )
    return (await _answer(_stub(client).CreateToken(request, metadata=client.metadata()))).token


async def tokens(client: Client) -> list[cluster_pb2.TokenInfo]:
    """The tokens that still work."""
    request = cluster_pb2.ListTokensRequest()
    return list(
        (await _answer(_stub(client).ListTokens(request, metadata=client.metadata()))).tokens
    )


async def revoke_token(client: Client, identifier: str) -> None:
    """End a token now."""
    request = cluster_pb2.RevokeTokenRequest(id=identifier)
    await _answer(_stub(client).RevokeToken(request, metadata=client.metadata()))


async def revoke_certificates(client: Client, identity: str) -> None:
    """Refuse every certificate of an identity that was issued before now."""
    request = cluster_pb2.RevokeCertificateRequest(identity=identity)
    await _answer(_stub(client).RevokeCertificate(request, metadata=client.metadata()))


def _stub(client: Client) -> cluster_pb2_grpc.AccessAsyncStub:
    stub: cluster_pb2_grpc.AccessAsyncStub = cluster_pb2_grpc.AccessStub(client.channel)
    return stub


async def _answer(call: Awaitable[Reply]) -> Reply:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise wire.from_rpc_error(error) from None
