"""The Access service: how machines get into the cluster, stay in, and are put out.

Join is the only call that needs no identity: the token is its proof. It takes the name that the
machine asks for, also that of a Node that exists (a machine installed anew), but not while another
machine holds that node's session: two machines of one name would fight over its pods. Renew
certifies the caller's own identity and no other. The rest is the administrator's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity, of_node
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.control.access.attempts import Attempts
from holdfast.control.access.ca import Authority, Randomness
from holdfast.control.access.revocations import Revocations
from holdfast.control.access.tokens import JoinTokens
from holdfast.control.rpc.doors import (
    Authenticate,
    Context,
    Require,
    allow,
    anywhere,
    led_by,
    unary,
)
from holdfast.control.rpc.enrolment import Enrolment

NAME = "holdfast.api.rpc.v1.Access"
TOKENS = "jointokens.holdfast.dev"
CERTIFICATES = "certificates.holdfast.dev"
"""The names by which `decide` judges these calls; they are no objects of the API."""

NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A DNS-1123 subdomain; its length is bounded by the certificate's subject."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Doors:
    """What the service works with. connected: whether a node's session is open. endpoints: the
    mutual-TLS listeners of all control nodes, "host:port". enrolment: lets control nodes in, None
    = there can be no other. require: passes at the leader."""

    authority: Authority
    tokens: JoinTokens
    revocations: Revocations
    authenticate: Authenticate
    connected: Callable[[str], bool]
    endpoints: Callable[[], tuple[str, ...]]
    enrolment: Enrolment | None = None
    require: Require = anywhere


class AccessService:
    """holdfast.api.rpc.v1.Access, the same on both listeners."""

    def __init__(self, doors: Doors, clock: Callable[[], float], rng: Randomness) -> None:
        self._doors = doors
        self._clock = clock
        self._rng = rng
        self._attempts = Attempts()

    def handler(self) -> grpc.GenericRpcHandler:
        """For `server.add_generic_rpc_handlers`."""
        methods: tuple[tuple[str, Any, Callable[..., Any]], ...] = (
            ("Renew", wire.RenewRequest, self.renew),
            ("CreateToken", wire.CreateTokenRequest, self.create_token),
            ("ListTokens", wire.ListTokensRequest, self.list_tokens),
            ("RevokeToken", wire.RevokeTokenRequest, self.revoke_token),
            ("RevokeCertificate", wire.RevokeCertificateRequest, self.revoke_certificate),
        )
        who, require = self._doors.authenticate, self._doors.require
        handlers = {
            name: unary(f"Access/{name}", who, request, led_by(require, method))
            for name, request, method in methods
        }
        for name, request, method in (
            ("Join", wire.JoinRequest, self.join),
            ("JoinControl", wire.JoinControlRequest, self.join_control),
        ):
            handlers[name] = unary(f"Access/{name}", _caller, request, led_by(require, method))
        return grpc.method_handlers_generic_handler(NAME, handlers)

    async def join(self, request: wire.JoinRequest, caller: Identity) -> wire.JoinReply:
        """Certify a machine as the node of a name, by a join token. caller: see `_caller`."""
        host = caller.name
        self._check_token(request, host)
        name = request.node_name
        if not NODE_NAME.fullmatch(name):
            message = f'node_name "{name[:253]}" is not a name: write lower-case words, "worker-1"'
            raise ApiError(Reason.BAD_REQUEST, message)
        if self._doors.connected(name):
            message = f'node "{name}" is connected already: give this machine another name'
            raise ApiError(Reason.CONFLICT, message, "nodes", name)
        certificate_pem = self._doors.authority.certify(of_node(name), request.csr_pem)
        # Last, so that a request that fails uses nothing up.
        await self._doors.tokens.redeem(request.token_id, request.token_secret)
        _log.info("node_joined", node=name, host=host, token_id=request.token_id)
        return self._reply(certificate_pem)

    async def join_control(
        self, request: wire.JoinControlRequest, caller: Identity
    ) -> wire.JoinControlReply:
        """Let a control node in, by a token made for that. caller: see `_caller`."""
        self._check_token(request, caller.name, control=True)
        if self._doors.enrolment is None:
            message = "the control nodes of this cluster keep its state elsewhere: start one there"
            raise ApiError(Reason.METHOD_NOT_ALLOWED, message)
        return await self._doors.enrolment.join(request)

    def _check_token(
        self, request: wire.JoinRequest | wire.JoinControlRequest, host: str, *,
        control: bool = False,
    ) -> None:  # fmt: skip
        """First, so that only who holds a token learns anything or costs anything."""
        now = self._clock()
        if wait_s := self._attempts.wait_s(host, now):
            message = f"too many failed joins: try again in {wait_s} s"
            raise ApiError(Reason.TOO_MANY_REQUESTS, message, retry_after_s=wait_s)
        try:
            self._doors.tokens.check(request.token_id, request.token_secret, control=control)
        except ApiError:
            self._attempts.failed(host, now)
            _log.warning("join_refused", host=host, token_id=request.token_id[:6])
            raise

    async def renew(self, request: wire.RenewRequest, identity: Identity) -> wire.JoinReply:
        """The caller's own certificate once more, for a new key."""
        return self._reply(self._doors.authority.certify(identity, request.csr_pem))

    async def create_token(
        self, request: wire.CreateTokenRequest, identity: Identity
    ) -> wire.CreateTokenReply:
        """A join token."""
        allow(identity, "create", TOKENS)
        token = await self._doors.tokens.create(
            request.lifetime_s, request.description, request.uses, control=request.control
        )
        return wire.CreateTokenReply(token=str(token), id=token.id)

    async def list_tokens(
        self, _request: wire.ListTokensRequest, identity: Identity
    ) -> wire.ListTokensReply:
        """The tokens that are good now; never their secrets."""
        allow(identity, "list", TOKENS)
        reply = wire.ListTokensReply()
        for row in await self._doors.tokens.valid():
            reply.tokens.add(
                id=row.id,
                description=row.description,
                expires_at_s=row.expires_at_s,
                uses_left=row.uses_left,
                control=row.control,
            )
        return reply

    async def revoke_token(
        self, request: wire.RevokeTokenRequest, identity: Identity
    ) -> wire.RevokeTokenReply:
        """End a token now."""
        allow(identity, "delete", TOKENS, name=request.id)
        await self._doors.tokens.revoke(request.id)
        return wire.RevokeTokenReply()

    async def revoke_certificate(
        self, request: wire.RevokeCertificateRequest, identity: Identity
    ) -> wire.RevokeCertificateReply:
        """Refuse every certificate of an identity that was issued before now."""
        allow(identity, "delete", CERTIFICATES, name=request.identity)
        if not request.identity:
            message = 'identity is missing: write "system:node:NAME"'
            raise ApiError(Reason.BAD_REQUEST, message)
        request_id = self._rng.getrandbits(128).to_bytes(16, "big")
        await self._doors.revocations.revoke(request.identity, self._clock(), request_id)
        _log.warning("certificates_revoked", identity=request.identity, by=identity.name)
        return wire.RevokeCertificateReply()

    def _reply(self, certificate_pem: bytes) -> wire.JoinReply:
        return wire.JoinReply(
            certificate_pem=certificate_pem,
            ca_pem=self._doors.authority.pem,
            endpoints=self._doors.endpoints(),
        )


async def _caller(context: Context) -> Identity:
    """Who joins is nobody yet: known only by the address it calls from, without its port
    ("ipv4:10.0.0.1" of "ipv4:10.0.0.1:4242")."""
    return Identity(context.peer().rpartition(":")[0])
