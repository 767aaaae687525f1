"""A credentials directory changes whole, is private, and says what is wrong with it."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls import credentials
from holdfast.control.access.ca import Authority, open_authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(tmp_path / "cluster", lambda: 1_800_000_000.0, Random(1))


@pytest.fixture
def mine(authority: Authority) -> Endpoint:
    return authority.admin(["127.0.0.1:6444", "[::1]:6444"])


def test_what_is_saved_is_loaded(tmp_path: Path, mine: Endpoint) -> None:
    assert not credentials.exist(tmp_path / "node")
    credentials.save(tmp_path / "node", mine)
    assert credentials.exist(tmp_path / "node")
    assert credentials.load(tmp_path / "node") == mine


def test_the_four_names_can_be_read_and_nobody_else_can(tmp_path: Path, mine: Endpoint) -> None:
    directory = tmp_path / "node"
    credentials.save(directory, mine)
    assert (directory / "ca.pem").read_bytes() == mine.ca_pem
    assert (directory / "tls.crt").read_bytes() == mine.certificate_pem
    assert (directory / "tls.key").read_bytes() == mine.key_pem
    assert b"127.0.0.1:6444" in (directory / "endpoints.json").read_bytes()
    for path in [directory, *directory.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_new_set_replaces_the_old_one(
    tmp_path: Path, authority: Authority, mine: Endpoint
) -> None:
    directory = tmp_path / "node"
    credentials.save(directory, mine)
    newer = authority.admin(["10.0.0.1:6444"])
    credentials.save(directory, newer)
    assert credentials.load(directory) == newer
    assert len(list(directory.glob("set-*"))) == 1
    assert not list(directory.glob(".*"))


def test_plain_files_are_read_too(tmp_path: Path, mine: Endpoint) -> None:
    assert mine.certificate_pem
    assert mine.key_pem
    (tmp_path / "ca.pem").write_bytes(mine.ca_pem)
    (tmp_path / "tls.crt").write_bytes(mine.certificate_pem)
    (tmp_path / "tls.key").write_bytes(mine.key_pem)
    (tmp_path / "endpoints.json").write_text('{"endpoints": ["a:1"]}')
    assert credentials.load(tmp_path) == replace(mine, addresses=("a:1",))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("ca.pem", "nonsense", "ca.pem is not a certificate"),
        ("tls.crt", "", "tls.crt is not a certificate"),
        ("tls.key", "nonsense", "tls.key is not a private key"),
        ("endpoints.json", "{", "endpoints.json does not hold"),
        ("endpoints.json", '{"endpoints": []}', "endpoints.json does not hold"),
        ("endpoints.json", '{"endpoints": [1]}', "endpoints.json does not hold"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, mine: Endpoint, name: str, text: str, says: str
) -> None:
    credentials.save(tmp_path, mine)
    (tmp_path / name).resolve().write_text(text)
    with pytest.raises(ApiError, match=says) as caught:
        credentials.load(tmp_path)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_a_missing_file_is_named(tmp_path: Path, mine: Endpoint) -> None:
    credentials.save(tmp_path, mine)
    (tmp_path / "tls.key").resolve().unlink()
    with pytest.raises(ApiError, match=r"tls\.key is missing") as caught:
        credentials.load(tmp_path)
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_key_of_another_certificate_is_refused(
    tmp_path: Path, authority: Authority, mine: Endpoint
) -> None:
    other = authority.admin([])
    credentials.save(tmp_path, replace(mine, key_pem=other.key_pem))
    with pytest.raises(ApiError, match="is not the key of the certificate"):
        credentials.load(tmp_path)
