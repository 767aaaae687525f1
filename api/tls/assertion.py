"""Certificate assertions: proof of a certificate call by call, on a connection shared by many.

A thousand hollow nodes share a few connections, so the connection's own certificate cannot tell
them apart. Each call carries, over the token listener (server TLS only),

    authorization: Holdfast-Certificate <certificate>.<expiry>.<signature>

certificate: base64url of DER; expiry: Unix seconds; signature: ECDSA-SHA256 by the certificate's
key over the purpose, the audience (the fingerprint of the cluster's authority) and the expiry.
The receiver checks the chain and the signature once and remembers the header until it expires
(control/access/authentication). Pure module.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls import certificates, keys
from holdfast.api.tls.certificates import Certificate

METADATA_KEY = "authorization"
SCHEME = "Holdfast-Certificate "
LIFETIME_S = 3600
"""How long one assertion is good for; a receiver refuses one that promises more than twice it."""
HEADER_CHARACTERS_MAX = 4096

_PURPOSE = "holdfast certificate assertion v1"
_ALGORITHM = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion as received: nothing of it is believed before `verify`."""

    certificate: Certificate
    expires_at: int
    signature: bytes

    def verify(self, authority: Certificate, now: float) -> None:
        """Check signature, chain and times against the cluster's authority.

        Raises ApiError (Unauthorized) that says which of them failed.
        """
        if not self.certificate.issued_by(authority):
            raise _unauthorized("its certificate is from another cluster")
        if not now < self.expires_at <= now + 2 * LIFETIME_S:
            raise _unauthorized("it has expired; the clocks of both machines must agree")
        key = self.certificate.x509.public_key()
        signed = _signed(authority.fingerprint(), self.expires_at)
        try:
            assert isinstance(key, ec.EllipticCurvePublicKey), "the authority signs no other keys"
            key.verify(self.signature, signed, _ALGORITHM)
        except InvalidSignature:
            raise _unauthorized("its signature is wrong") from None


@dataclass(slots=True)
class Asserter:
    """Makes one identity's assertions, a new one when half of the last one's time is over.

    `Client.acting_as(lambda: asserter.header(time.time()))` is a client that carries them.
    """

    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes
    _header: str = field(default="", init=False, repr=False)
    _renew_at: float = field(default=0.0, init=False, repr=False)

    def header(self, now: float) -> str:
        """The value of the `authorization` metadata, good for at least half of LIFETIME_S."""
        if now >= self._renew_at:
            audience = certificates.from_pem(self.ca_pem).fingerprint()
            certificate = certificates.from_pem(self.certificate_pem)
            key = keys.from_pem(self.key_pem)
            self._header = make(certificate, key, audience, int(now) + LIFETIME_S)
            self._renew_at = now + LIFETIME_S / 2
        return self._header


def make(certificate: Certificate, key: keys.PrivateKey, audience: str, expires_at: int) -> str:
    """One assertion, as the header's value. audience: the authority's fingerprint."""
    signature = key.sign(_signed(audience, expires_at), _ALGORITHM)
    return f"{SCHEME}{_pack(certificate.der)}.{expires_at}.{_pack(signature)}"


def read(header: str) -> Assertion:
    """Take a header apart. Raises ApiError (Unauthorized) when it has another form."""
    parts = header.removeprefix(SCHEME).split(".")
    if not header.startswith(SCHEME) or len(parts) != 3 or len(header) > HEADER_CHARACTERS_MAX:
        raise _unauthorized("it has another form")
    try:
        certificate = certificates.from_der(_unpack(parts[0]))
        return Assertion(certificate, int(parts[1]), _unpack(parts[2]))
    except (binascii.Error, ValueError, ApiError):
        raise _unauthorized("it is damaged") from None


def _signed(audience: str, expires_at: int) -> bytes:
    return f"{_PURPOSE}\n{audience}\n{expires_at}".encode()


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _unauthorized(why: str) -> ApiError:
    return ApiError(Reason.UNAUTHORIZED, f"the certificate assertion is refused: {why}")
