"""Calls of the Access service: join tokens and revocation, with refusals as ApiError."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from holdfast.api.rpc.v1 import cluster_pb2

if TYPE_CHECKING:
    from holdfast.api.client import Client

Reply = TypeVar("Reply")
_SERVICE = "/holdfast.api.rpc.v1.Access/"


async def create_token(
    client: Client, description: str, lifetime_s: int, uses: int = 0, *, control: bool = False
) -> str:
    """A new join token: the only time its text is seen. uses 0 = as often as wanted; control: for
    control nodes instead of nodes."""
    request = cluster_pb2.CreateTokenRequest(
        description=description, lifetime_s=lifetime_s, uses=uses, control=control
    )
    read = cluster_pb2.CreateTokenReply.FromString
    return (await _call(client, "CreateToken", request, read)).token


async def tokens(client: Client) -> list[cluster_pb2.TokenInfo]:
    """The tokens that still work."""
    read = cluster_pb2.ListTokensReply.FromString
    reply = await _call(client, "ListTokens", cluster_pb2.ListTokensRequest(), read)
    return list(reply.tokens)


async def revoke_token(client: Client, identifier: str) -> None:
    """End a token now."""
    request = cluster_pb2.RevokeTokenRequest(id=identifier)
    await _call(client, "RevokeToken", request, cluster_pb2.RevokeTokenReply.FromString)


async def revoke_certificates(client: Client, identity: str) -> None:
    """Refuse every certificate of an identity that was issued before now."""
    request = cluster_pb2.RevokeCertificateRequest(identity=identity)
    read = cluster_pb2.RevokeCertificateReply.FromString
    await _call(client, "RevokeCertificate", request, read)


async def _call(
    client: Client, method: str, request: Message, read: Callable[[bytes], Reply]
) -> Reply:
    reply: Reply = await client.unary(_SERVICE + method, request, read)
    return reply
