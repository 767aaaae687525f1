"""Who is calling: an identity from the certificate of the connection or of the call.

On the mutual-TLS listener it is the connection's own certificate, whose chain the TLS layer has
checked. On the token listener it is a certificate assertion in the call's metadata. Both are
checked in full once and remembered by their text, so a later call costs a look-up; expiry and
revocation are judged at every call, because a connection outlives both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity
from holdfast.api.tls import assertion, certificates
from holdfast.api.tls.certificates import Certificate
from holdfast.control.access.revocations import Revocations

REMEMBERED_MAX = 16_384
"""Callers remembered at a time (~1.5 KiB each); the one remembered first goes first."""

Context = grpc.aio.ServicerContext[Any, Any]


class _Known(NamedTuple):
    """A caller whose proof was checked. good_until: Unix seconds."""

    identity: Identity
    issued_at_ms: int
    good_until: float


class Authenticator:
    """Finds out who calls. `authenticate` is what the services are given."""

    def __init__(
        self, authority: Certificate, revocations: Revocations, clock: Callable[[], float]
    ) -> None:
        """authority: the certificate that signed everybody's."""
        self._authority = authority
        self._revocations = revocations
        self._clock = clock
        self._known: dict[bytes | str, _Known] = {}

    async def authenticate(self, context: Context) -> Identity:
        """The caller's identity.

        Raises ApiError (Unauthorized): no certificate, two of them, or one that is expired,
        revoked or of another cluster.
        """
        now = self._clock()
        proof = _proof(context)
        known = self._known.get(proof) or self._check(proof, now)
        if now >= known.good_until:
            raise _refused(f'the certificate or assertion of "{known.identity.name}" has expired')
        if self._revocations.refuses(known.identity.name, known.issued_at_ms):
            raise _refused(f'the certificate of "{known.identity.name}" was revoked: join again')
        return known.identity

    def _check(self, proof: bytes | str, now: float) -> _Known:
        if isinstance(proof, bytes):
            certificate = certificates.from_pem(proof)
            good_until = certificate.not_after
        else:
            claim = assertion.read(proof)
            claim.verify(self._authority, now)
            certificate = claim.certificate
            good_until = min(claim.expires_at, certificate.not_after)
        if not certificate.identity.name:
            raise _refused("the certificate names nobody")
        known = _Known(certificate.identity, certificate.issued_at_ms, good_until)
        if len(self._known) >= REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        self._known[proof] = known
        return known


def _proof(context: Context) -> bytes | str:
    """The certificate of the connection (PEM), or the header that asserts one."""
    peer = context.auth_context().get("x509_pem_cert")
    header = _header(context)
    if peer and header is None:
        return next(iter(peer))
    if peer:
        raise _refused(
            "this connection has a certificate of its own: "
            "send the `authorization` of another identity to the token listener"
        )
    if header is None:
        raise _refused("no client certificate: use the mutual-TLS listener, or join the cluster")
    if not header.startswith(assertion.SCHEME):
        raise _refused(f'`authorization` must begin with "{assertion.SCHEME.strip()}"')
    return header


def _header(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == assertion.METADATA_KEY:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None


def _refused(message: str) -> ApiError:
    return ApiError(Reason.UNAUTHORIZED, message)
