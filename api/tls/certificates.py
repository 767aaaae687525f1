"""What a certificate says: whose it is, when it was issued, how long it lives.

Read by authentication (the peer's), by agents (their own, to renew it in time) and by the join
token (the cluster's). The serial number of every certificate of a cluster begins with the time of
issue in milliseconds, so "issued before that revocation" needs no list of serials. Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import Identity

SERIAL_RANDOM_BITS = 96
RENEW_SHARE = 2 / 3
"""A certificate is renewed when this share of its life is over (the kubelet's is 0.7–0.9)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, read. Times are Unix seconds; x509 is the whole of it."""

    identity: Identity
    issued_at_ms: int
    not_before: float
    not_after: float
    x509: x509.Certificate

    @property
    def renew_at(self) -> float:
        """When to ask for its successor."""
        return self.not_before + (self.not_after - self.not_before) * RENEW_SHARE

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.x509.public_bytes(Encoding.PEM)

    def issued_by(self, authority: Certificate) -> bool:
        """Whether the authority's key signed it, under the authority's name."""
        try:
            self.x509.verify_directly_issued_by(authority.x509)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            return False
        return True

    def fingerprint(self) -> str:
        """SHA-256 of the certificate in hexadecimal: names a cluster by its authority."""
        return self.x509.fingerprint(hashes.SHA256()).hex()


def from_pem(pem: bytes, source: str = "the certificate") -> Certificate:
    """Read the first certificate of a PEM text. source names it in the error.

    Raises ApiError (BadRequest).
    """
    try:
        return _read(x509.load_pem_x509_certificate(pem))
    except ValueError:
        raise ApiError(Reason.BAD_REQUEST, f"{source} is not a certificate in PEM form") from None


def from_der(der: bytes, source: str = "the certificate") -> Certificate:
    """Read a certificate in DER form. Raises ApiError (BadRequest)."""
    try:
        return _read(x509.load_der_x509_certificate(der))
    except ValueError:
        raise ApiError(Reason.BAD_REQUEST, f"{source} is not a certificate") from None


def serial(issued_at_ms: int, random_bits: int) -> int:
    """A serial number (at most 159 bits, RFC 5280 4.1.2.2) that carries its time of issue."""
    return issued_at_ms << SERIAL_RANDOM_BITS | random_bits & ((1 << SERIAL_RANDOM_BITS) - 1)


def _read(certificate: x509.Certificate) -> Certificate:
    names = _values(certificate.subject, NameOID.COMMON_NAME)
    groups = _values(certificate.subject, NameOID.ORGANIZATION_NAME)
    return Certificate(
        Identity(names[0] if names else "", groups),
        certificate.serial_number >> SERIAL_RANDOM_BITS,
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        certificate,
    )


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    values = (attribute.value for attribute in name.get_attributes_for_oid(oid))
    return tuple(value for value in values if isinstance(value, str))
