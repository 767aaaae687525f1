"""Private keys and requests to have them certified: elliptic curve P-256, PEM (PKCS #8).

Called by whoever needs a certificate (a joining node, the authority for its own). A key never
leaves the machine that made it except inside a kubeconfig written for its owner.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.api.errors import ApiError, Reason

PrivateKey = ec.EllipticCurvePrivateKey


def new() -> PrivateKey:
    """A fresh key."""
    return ec.generate_private_key(ec.SECP256R1())


def to_pem(key: PrivateKey) -> bytes:
    """The key unencrypted: whoever stores it uses mode 0600."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def from_pem(pem: bytes, source: str = "the private key") -> PrivateKey:
    """Read a key. source names it in the error: a file, a kubeconfig's field.

    Raises ApiError (BadRequest) when it is no P-256 key in PEM.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ApiError(Reason.BAD_REQUEST, f"{source} is not a private key in PEM form") from None
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ApiError(Reason.BAD_REQUEST, f"{source} is not an elliptic curve P-256 key")
    return key


def request(key: PrivateKey) -> bytes:
    """A certificate signing request (PEM). It names nobody: the authority takes only the key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
