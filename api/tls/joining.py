"""How a machine gets its certificate, and a new one before the old one ends.

`join` shows a join token to a control node that it verifies by the certificate inside the token;
`renew` asks with the certificate it has. Both make a fresh key and hand back a whole new set for
`credentials.save`. The key never leaves this machine.
"""

from __future__ import annotations

from holdfast.api.client.client import Client
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2
from holdfast.api.tls import certificates, keys
from holdfast.api.tls.tokens import JoinTarget

TIMEOUT_S = 15.0
_SERVICE = "/holdfast.api.rpc.v1.Access/"


async def join(target: JoinTarget, node_name: str, client: Client | None = None) -> Endpoint:
    """Become the node of this name.

    client: of the token listeners, verified by the token's certificate; None = one is made for
    this. Returns the credentials for the mutual-TLS listeners. Raises ApiError: Unauthorized (the
    token is unknown, used up or expired), Invalid (the name), Unavailable (no connection, or a
    control node of another cluster).
    """
    key = keys.new()
    request = cluster_pb2.JoinRequest(
        token_id=target.token.id,
        token_secret=target.token.secret,
        node_name=node_name,
        csr_pem=keys.request(key),
    )
    if client is not None:
        return _checked(await _ask(client, "Join", request), key, target.token.ca_pem)
    async with Client.connect(Endpoint((target.address,), target.token.ca_pem)) as made:
        return _checked(await _ask(made, "Join", request), key, target.token.ca_pem)


async def renew(endpoint: Endpoint) -> Endpoint:
    """A new certificate for the identity of this one, over the mutual-TLS listener.

    Raises ApiError, as `join`; the old credentials stay good until they expire.
    """
    assert endpoint.certificate_pem is not None, "renewal without a certificate"
    key = keys.new()
    request = cluster_pb2.RenewRequest(csr_pem=keys.request(key))
    async with Client.connect(endpoint) as client:
        return _checked(await _ask(client, "Renew", request), key, endpoint.ca_pem)


async def _ask(
    client: Client, name: str, request: cluster_pb2.JoinRequest | cluster_pb2.RenewRequest
) -> cluster_pb2.JoinReply:
    """Ask the leader."""
    read = cluster_pb2.JoinReply.FromString
    reply = await client.unary(_SERVICE + name, request, read, timeout_s=TIMEOUT_S)
    assert isinstance(reply, cluster_pb2.JoinReply)
    return reply


def _checked(reply: cluster_pb2.JoinReply, key: keys.PrivateKey, ca_pem: bytes) -> Endpoint:
    """The credentials, after making sure that the certificate is ours and of this cluster."""
    mine = certificates.from_pem(reply.certificate_pem)
    if not mine.issued_by(certificates.from_pem(ca_pem)):
        raise ApiError(Reason.INTERNAL, "the control node sent a certificate of another cluster")
    if mine.x509.public_key() != key.public_key():
        raise ApiError(Reason.INTERNAL, "the control node sent a certificate of another key")
    return Endpoint(tuple(reply.endpoints), ca_pem, reply.certificate_pem, keys.to_pem(key))
