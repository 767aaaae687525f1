"""Reading certificates and keys."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.api.errors import ApiError
from holdfast.api.identity import Identity
from holdfast.api.tls import certificates, keys
from holdfast.control.access.ca import open_authority

NOW = 1_800_000_000.5


def test_a_certificate_says_whose_it_is_and_when_to_renew(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, lambda: NOW, Random(1))
    identity = Identity("jane", ("b", "a"))
    pem = authority.issue_client(identity, keys.new().public_key(), 900)
    read = certificates.from_pem(pem)
    assert read.identity == identity
    assert read.issued_at_ms == int(NOW * 1000)
    assert read.not_before == int(NOW)
    assert read.not_after == pytest.approx(NOW + 900, abs=1)
    assert read.renew_at == pytest.approx(NOW + 600, abs=1)
    assert read.issued_by(authority.certificate)
    assert certificates.from_der(read.der) == read


def test_a_serial_fits_its_20_octets() -> None:
    assert certificates.serial(2**47, 2**96 - 1).bit_length() <= 159
    assert certificates.serial(5, 2**100) >> certificates.SERIAL_RANDOM_BITS == 5


def test_a_key_reads_back() -> None:
    key = keys.new()
    assert keys.from_pem(keys.to_pem(key)).public_key() == key.public_key()


@pytest.mark.parametrize("curve", [ec.SECP384R1()])
def test_keys_of_another_sort_are_refused(curve: ec.EllipticCurve) -> None:
    pem = keys.to_pem(ec.generate_private_key(curve))
    with pytest.raises(ApiError, match="client-key is not an elliptic curve P-256 key"):
        keys.from_pem(pem, "client-key")
