"""The cluster's authority: made once, loaded ever after, strict about what it signs."""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import ADMINS, NODES, Identity, of_node
from holdfast.api.tls import certificates, keys
from holdfast.control.access.ca import Authority, Lifetimes, open_authority

NOW = 1_800_000_000.0


def _open(folder: Path, seed: int = 1) -> Authority:
    return open_authority(folder, lambda: NOW, Random(seed))


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    first = _open(tmp_path)
    again = _open(tmp_path, seed=2)
    assert again.certificate == first.certificate
    assert stat.S_IMODE((tmp_path / "authority").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "authority" / "ca.key").stat().st_mode) == 0o600


def test_a_key_without_a_certificate_never_signed_and_is_replaced(tmp_path: Path) -> None:
    _open(tmp_path)
    (tmp_path / "authority" / "ca.pem").unlink()
    authority = _open(tmp_path)
    assert authority.certificate.issued_by(authority.certificate)


def test_damage_needs_a_person(tmp_path: Path) -> None:
    _open(tmp_path)
    key = tmp_path / "authority" / "ca.key"
    key.write_bytes(keys.to_pem(keys.new()))
    with pytest.raises(ApiError, match=r"ca\.key is not the key of .*ca\.pem"):
        _open(tmp_path)
    key.unlink()
    with pytest.raises(ApiError, match=r"ca\.key is missing"):
        _open(tmp_path)
    (tmp_path / "authority" / "ca.pem").write_text("x")
    with pytest.raises(ApiError, match=r"ca\.pem is not a certificate"):
        _open(tmp_path)


def test_of_a_request_only_the_key_is_taken(tmp_path: Path) -> None:
    authority = _open(tmp_path)
    key = keys.new()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ADMINS),
            x509.NameAttribute(NameOID.COMMON_NAME, "root"),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    issued = certificates.from_pem(authority.certify(of_node("n1"), csr))
    assert issued.identity == Identity("system:node:n1", (NODES,))
    assert issued.x509.public_key() == key.public_key()
    assert not issued.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = issued.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def _csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _forged() -> bytes:
    """A request whose signature is by another key than the one it shows."""
    der = x509.load_pem_x509_csr(_csr(keys.new())).public_bytes(Encoding.DER)
    shown = keys.new().public_key()
    old = x509.load_der_x509_csr(der).public_key()
    assert isinstance(old, ec.EllipticCurvePublicKey)
    point = (Encoding.X962, PublicFormat.UncompressedPoint)
    swapped = der.replace(old.public_bytes(*point), shown.public_bytes(*point))
    return x509.load_der_x509_csr(swapped).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("csr", "says"),
    [
        (b"", "not a certificate signing request"),
        (b"x" * 9000, "over 8192 bytes"),
        (_csr(ec.generate_private_key(ec.SECP384R1())), "not an elliptic curve P-256 key"),
        (_csr(rsa.generate_private_key(65537, 2048)), "not an elliptic curve P-256 key"),
        (_forged(), "not signed by its own key"),
    ],
)
def test_bad_requests_are_refused(tmp_path: Path, csr: bytes, says: str) -> None:
    with pytest.raises(ApiError, match=says) as caught:
        _open(tmp_path).certify(of_node("n1"), csr)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_a_name_that_does_not_fit_is_refused_with_its_bound(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="too long for a certificate: at most 52 characters"):
        _open(tmp_path).certify(of_node("n" * 53), keys.request(keys.new()))
    _open(tmp_path).certify(of_node("n" * 52), keys.request(keys.new()))


def test_a_server_is_named_by_all_its_addresses(tmp_path: Path) -> None:
    authority = _open(tmp_path)
    pem = authority.issue_server(keys.new().public_key(), ["c1.example", "10.96.0.1"], 60)
    certificate = certificates.from_pem(pem)
    names = certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) >= {"c1.example", "localhost", "kubernetes"}
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"10.96.0.1", "127.0.0.1", "::1"}
    assert certificate.not_before < NOW


def test_lifetimes_are_kept_and_never_outlive_the_authority(tmp_path: Path) -> None:
    short = Lifetimes(authority_s=100, node_s=10, admin_s=1000)
    authority = open_authority(tmp_path, lambda: NOW, Random(1), short)
    csr = keys.request(keys.new())
    assert certificates.from_pem(authority.certify(of_node("n1"), csr)).not_after == NOW + 10
    admin = authority.admin(["c:1"])
    assert admin.certificate_pem
    assert certificates.from_pem(admin.certificate_pem).not_after == NOW + 100
    assert certificates.from_pem(admin.certificate_pem).identity.groups == (ADMINS,)
