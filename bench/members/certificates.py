"""The PEM files of one bench: a CA, a server's certificate for loopback, clients' ones.

The same files are used by our members and by etcd.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bench.members.tls import CA, CLIENT, SERVER, member_name
from holdfast.api import identity
from holdfast.api.tls import keys
from holdfast.control.access.ca import Authority, open_authority

LIFETIME_S = 86_400.0


def make(folder: Path, members: list[int]) -> None:
    """Write everything. members: get a client's certificate each, with which they call peers."""
    authority = open_authority(folder, time.time, random.SystemRandom())
    (folder / CA).write_bytes(authority.pem)
    key = keys.new()
    _write(folder, SERVER, _both_ends(authority, key), key)
    for name, who in [(CLIENT, identity.of_controller("bench"))] + [
        (member_name(member), identity.of_member(member)) for member in members
    ]:
        key = keys.new()
        _write(folder, name, authority.issue_client(who, key.public_key(), LIFETIME_S), key)


def _both_ends(authority: Authority, key: keys.PrivateKey) -> bytes:
    """A certificate for loopback. Members of an etcd call each other with the one they show."""
    now = datetime.now(UTC)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")]))
        .issuer_name(authority.certificate.x509.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(seconds=LIFETIME_S))
        .add_extension(here, critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    )
    certificate = builder.sign(authority.key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(folder: Path, name: str, pem: bytes, key: keys.PrivateKey) -> None:
    (folder / f"{name}.pem").write_bytes(pem)
    (folder / f"{name}.key").write_bytes(keys.to_pem(key))
