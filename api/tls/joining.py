"""How a machine gets its certificate, and a new one before the old one ends.

`join` shows a join token to a control node that it verifies by the certificate inside the token;
`renew` asks with the certificate it has. Both make a fresh key and hand back a whole new set for
`credentials.save`. The key never leaves this machine.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

import grpc

from holdfast.api import wire
from holdfast.api.client.channels import Channels, explain
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2, cluster_pb2_grpc
from holdfast.api.tls import certificates, keys
from holdfast.api.tls.tokens import JoinTarget
from holdfast.api.transport.channel import Channel

TIMEOUT_S = 15.0


async def join(target: JoinTarget, node_name: str, channel: Channel | None = None) -> Endpoint:
    """Become the node of this name.

    channel: to the target, verified by the token's certificate; None = one is opened for this.
    Returns the credentials for the mutual-TLS listeners. Raises ApiError: Unauthorized (the token
    is unknown, used up or expired), Invalid (the name), Unavailable (no connection, or a control
    node of another cluster).
    """
    key = keys.new()
    request = cluster_pb2.JoinRequest(
        token_id=target.token.id,
        token_secret=target.token.secret,
        node_name=node_name,
        csr_pem=keys.request(key),
    )
    channels = Channels(Endpoint((target.address,), target.token.ca_pem))
    try:
        stub: Any = cluster_pb2_grpc.AccessStub(cast(Any, channel or channels.channel()))
        reply = await _answer(stub.Join(request, timeout=TIMEOUT_S), target.address)
    finally:
        await channels.close()
    return _checked(reply, key, target.token.ca_pem)


async def renew(endpoint: Endpoint) -> Endpoint:
    """A new certificate for the identity of this one, over the mutual-TLS listener.

    Raises ApiError, as `join`; the old credentials stay good until they expire.
    """
    assert endpoint.certificate_pem is not None, "renewal without a certificate"
    key = keys.new()
    request = cluster_pb2.RenewRequest(csr_pem=keys.request(key))
    channels = Channels(endpoint)
    try:
        for attempt in range(channels.count):
            address = channels.address
            try:
                stub: Any = cluster_pb2_grpc.AccessStub(cast(Any, channels.channel()))
                reply = await _answer(stub.Renew(request, timeout=TIMEOUT_S), address)
                return _checked(reply, key, endpoint.ca_pem)
            except ApiError as error:
                last = attempt == channels.count - 1
                if last or error.reason is not Reason.UNAVAILABLE:
                    raise
                channels.turn_from(address)
    finally:
        await channels.close()
    raise AssertionError("no address was tried")


async def _answer(call: Awaitable[cluster_pb2.JoinReply], address: str) -> cluster_pb2.JoinReply:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        refusal = wire.from_rpc_error(error)
        if refusal.reason is Reason.UNAVAILABLE and not wire.has_status(error):
            refusal = explain(address, refusal)
        raise refusal from None


def _checked(reply: cluster_pb2.JoinReply, key: keys.PrivateKey, ca_pem: bytes) -> Endpoint:
    """The credentials, after making sure that the certificate is ours and of this cluster."""
    mine = certificates.from_pem(reply.certificate_pem)
    if not mine.issued_by(certificates.from_pem(ca_pem)):
        raise ApiError(Reason.INTERNAL, "the control node sent a certificate of another cluster")
    if mine.x509.public_key() != key.public_key():
        raise ApiError(Reason.INTERNAL, "the control node sent a certificate of another key")
    return Endpoint(tuple(reply.endpoints), ca_pem, reply.certificate_pem, keys.to_pem(key))
