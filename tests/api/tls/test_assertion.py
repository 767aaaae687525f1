"""Certificate assertions: good for their cluster, their time and their key, and nothing else."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import of_node
from holdfast.api.tls import assertion, certificates, keys
from holdfast.api.tls.assertion import LIFETIME_S, Asserter
from holdfast.control.access.ca import Authority, open_authority

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("cluster")
    return open_authority(folder, lambda: NOW, Random(1))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("other")
    return open_authority(folder, lambda: NOW, Random(2))


def _asserter(authority: Authority, ca_pem: bytes = b"") -> Asserter:
    key = keys.new()
    pem = authority.issue_client(of_node("n1"), key.public_key(), 86400)
    return Asserter(ca_pem or authority.pem, pem, keys.to_pem(key))


def test_an_assertion_names_its_node(authority: Authority) -> None:
    claim = assertion.read(_asserter(authority).header(NOW))
    claim.verify(authority.certificate, NOW)
    assert claim.certificate.identity == of_node("n1")
    assert claim.expires_at == NOW + LIFETIME_S


def test_the_same_header_serves_for_half_its_time(authority: Authority) -> None:
    asserter = _asserter(authority)
    first = asserter.header(NOW)
    assert asserter.header(NOW + LIFETIME_S / 2 - 1) == first
    later = asserter.header(NOW + LIFETIME_S / 2)
    assert later != first
    assertion.read(later).verify(authority.certificate, NOW + LIFETIME_S)


@pytest.mark.parametrize("after_s", [LIFETIME_S, LIFETIME_S + 1, -2 * LIFETIME_S])
def test_a_wrong_time_is_refused(authority: Authority, after_s: float) -> None:
    claim = assertion.read(_asserter(authority).header(NOW))
    with pytest.raises(ApiError, match="expired"):
        claim.verify(authority.certificate, NOW + after_s)


def test_another_cluster_is_refused(authority: Authority, other: Authority) -> None:
    claim = assertion.read(_asserter(authority).header(NOW))
    with pytest.raises(ApiError, match="another cluster") as caught:
        claim.verify(other.certificate, NOW)
    assert caught.value.reason is Reason.UNAUTHORIZED


def test_an_assertion_made_for_another_cluster_is_refused(
    authority: Authority, other: Authority
) -> None:
    claim = assertion.read(_asserter(authority, other.pem).header(NOW))
    with pytest.raises(ApiError, match="signature"):
        claim.verify(authority.certificate, NOW)


def test_somebody_elses_certificate_is_no_use(authority: Authority) -> None:
    victim = certificates.from_pem(_asserter(authority).certificate_pem)
    audience = authority.certificate.fingerprint()
    forged = assertion.make(victim, keys.new(), audience, int(NOW) + 60)
    with pytest.raises(ApiError, match="signature"):
        assertion.read(forged).verify(authority.certificate, NOW)


def test_a_longer_life_cannot_be_written_in(authority: Authority) -> None:
    parts = _asserter(authority).header(NOW).split(".")
    parts[1] = str(int(NOW) + LIFETIME_S + 1)
    with pytest.raises(ApiError, match="signature"):
        assertion.read(".".join(parts)).verify(authority.certificate, NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer abc",
        "Holdfast-Certificate ",
        "Holdfast-Certificate a.b",
        "Holdfast-Certificate a.1.b",
        "Holdfast-Certificate " + "a" * 5000 + ".1.b",
    ],
)
def test_other_forms_are_refused(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        assertion.read(header)
    assert caught.value.reason is Reason.UNAUTHORIZED
