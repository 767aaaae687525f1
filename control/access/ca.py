"""The cluster's authority: it alone says who is a control node, a node or the administrator.

Made at the first start in the control node's data directory (`authority/ca.pem` and `ca.key`, mode
0600) and loaded ever after. Of a signing request only the public key is taken: subject, lifetime
and use are decided here, from what authentication found out about the caller.

Client certificates begin to live at the moment of issue, which their serial number repeats in
milliseconds (see Revocations); server certificates an hour earlier, because clients judge them by
their own clocks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import ADMINS, Identity
from holdfast.api.tls import certificates, credentials, keys
from holdfast.api.tls.certificates import Certificate

ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default.svc")
ADMIN = Identity("holdfast-admin", (ADMINS,))
FOLDER = "authority"
CERTIFICATE = Path(FOLDER, "ca.pem")
"""Where a data directory has the authority's certificate; where that is, the key is beside it."""
REQUEST_BYTES_MAX = 8192
COMMON_NAME_CHARACTERS_MAX = 64
"""ub-common-name of RFC 5280."""

_CLOCK_ERROR_S = 3600.0


class Randomness(Protocol):
    """The part of `random.SystemRandom` that is used; only that one is fit for production."""

    def getrandbits(self, k: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each sort of certificate lives, in seconds."""

    authority_s: float = 10 * 365 * 86400.0
    server_s: float = 90 * 86400.0
    admin_s: float = 365 * 86400.0
    node_s: float = 86400.0


@dataclass(frozen=True)
class Authority:
    """The cluster's certificate and its key. clock: Unix seconds."""

    certificate: Certificate
    key: keys.PrivateKey
    clock: Callable[[], float]
    rng: Randomness
    lifetimes: Lifetimes = Lifetimes()

    @property
    def pem(self) -> bytes:
        """The certificate that everybody trusts."""
        return self.certificate.pem

    def issue_client(
        self, identity: Identity, public_key: ec.EllipticCurvePublicKey, lifetime_s: float
    ) -> bytes:
        """A client certificate (PEM) for an identity. Raises ApiError when its name is too long."""
        if len(identity.name) > COMMON_NAME_CHARACTERS_MAX:
            room = COMMON_NAME_CHARACTERS_MAX - len(identity.name) + len(identity.node)
            raise ApiError(
                Reason.BAD_REQUEST,
                f'the name "{identity.node or identity.name}" is too long for a certificate: '
                f"at most {room} characters",
            )
        builder = self._builder(identity, public_key, self.clock(), lifetime_s)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        return _pem(builder, self.key)

    def issue_server(
        self, public_key: ec.EllipticCurvePublicKey, names: Iterable[str], lifetime_s: float
    ) -> bytes:
        """A control node's own certificate (PEM). names: DNS names and IP addresses."""
        start = self.clock() - _CLOCK_ERROR_S
        builder = self._builder(
            Identity("holdfast-control"), public_key, start, lifetime_s + _CLOCK_ERROR_S
        )
        known = [_general_name(name) for name in dict.fromkeys((*names, *ALWAYS_NAMED))]
        builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        return _pem(builder, self.key)

    def certify(self, identity: Identity, csr_pem: bytes) -> bytes:
        """A client certificate for the key of a signing request; nothing else of it is taken.

        Raises ApiError (BadRequest) for a request that is damaged or has another sort of key.
        """
        lifetime_s = self.lifetimes.node_s if identity.node else self.lifetimes.admin_s
        return self.issue_client(identity, _requested_key(csr_pem), lifetime_s)

    def admin(self, addresses: Iterable[str]) -> Endpoint:
        """Fresh credentials of the administrator. addresses: mutual-TLS listeners."""
        key = keys.new()
        pem = self.issue_client(ADMIN, key.public_key(), self.lifetimes.admin_s)
        return Endpoint(tuple(addresses), self.pem, pem, keys.to_pem(key))

    def _builder(
        self,
        identity: Identity,
        public_key: ec.EllipticCurvePublicKey,
        start: float,
        lifetime_s: float,
    ) -> x509.CertificateBuilder:
        number = certificates.serial(
            int(self.clock() * 1000), self.rng.getrandbits(certificates.SERIAL_RANDOM_BITS)
        )
        end = min(start + lifetime_s, self.certificate.not_after)
        builder = _unsigned(_subject(identity), self.certificate.x509.subject, public_key)
        builder = builder.serial_number(number)
        builder = builder.not_valid_before(_time(start)).not_valid_after(_time(end))
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        return builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )


def open_authority(
    directory: Path,
    clock: Callable[[], float],
    rng: Randomness,
    lifetimes: Lifetimes = Lifetimes(),
) -> Authority:
    """Load the authority of a data directory, or make it when there is none yet.

    Raises ApiError naming the file when one of its two files is missing, damaged or belongs to
    another authority: that needs a person, because every certificate hangs on it.
    """
    folder = directory / FOLDER
    certificate_path, key_path = directory / CERTIFICATE, folder / "ca.key"
    if not certificate_path.exists():
        # The certificate is written last: without it nothing was ever issued.
        return _found(folder, clock, rng, lifetimes)
    certificate = certificates.from_pem(certificate_path.read_bytes(), str(certificate_path))
    if not key_path.exists():
        raise ApiError(Reason.NOT_FOUND, f"{key_path} is missing: restore it from a backup")
    key = keys.from_pem(key_path.read_bytes(), str(key_path))
    if key.public_key() != certificate.x509.public_key():
        raise ApiError(Reason.BAD_REQUEST, f"{key_path} is not the key of {certificate_path}")
    return Authority(certificate, key, clock, rng, lifetimes)


def _found(
    folder: Path, clock: Callable[[], float], rng: Randomness, lifetimes: Lifetimes
) -> Authority:
    key, now = keys.new(), clock()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "holdfast")])
    number = certificates.serial(int(now * 1000), rng.getrandbits(certificates.SERIAL_RANDOM_BITS))
    builder = _unsigned(name, name, key.public_key()).serial_number(number)
    builder = builder.not_valid_before(_time(now - _CLOCK_ERROR_S))
    builder = builder.not_valid_after(_time(now + lifetimes.authority_s))
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_AUTHORITY_USE, critical=True)
    pem = _pem(builder, key)
    keep_authority(folder.parent, pem, keys.to_pem(key))
    return Authority(certificates.from_pem(pem), key, clock, rng, lifetimes)


def keep_authority(directory: Path, certificate_pem: bytes, key_pem: bytes) -> None:
    """Write an authority into a data directory, where `open_authority` finds it. Raises OSError.

    The certificate comes last: where it is, the key is too.
    """
    folder = directory / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    credentials.write_private(folder / "ca.key", key_pem)
    credentials.write_private(directory / CERTIFICATE, certificate_pem)


_AUTHORITY_USE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _unsigned(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    return builder.public_key(public_key).add_extension(
        x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
    )


def _requested_key(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    if len(csr_pem) > REQUEST_BYTES_MAX:
        raise ApiError(
            Reason.BAD_REQUEST, f"the signing request is over {REQUEST_BYTES_MAX} bytes long"
        )
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        key, signed = request.public_key(), request.is_signature_valid
    except ValueError:
        raise ApiError(
            Reason.BAD_REQUEST, "csr_pem is not a certificate signing request in PEM form"
        ) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ApiError(Reason.BAD_REQUEST, "csr_pem: the key is not an elliptic curve P-256 key")
    if not signed:
        raise ApiError(Reason.BAD_REQUEST, "csr_pem is not signed by its own key")
    return key


def _subject(identity: Identity) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.groups]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, identity.name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _pem(builder: x509.CertificateBuilder, key: keys.PrivateKey) -> bytes:
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(Encoding.PEM)
