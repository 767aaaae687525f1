"""The join token: one string in, the same token out, and a clear word on each sort of damage."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.api.errors import ApiError, Reason
from holdfast.api.tls.tokens import JOIN_PORT, JoinToken, parse, parse_target, with_port
from holdfast.control.access.ca import open_authority


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> JoinToken:
    folder: Path = tmp_path_factory.mktemp("cluster")
    authority = open_authority(folder, lambda: 1_800_000_000.0, Random(1))
    return JoinToken("abc234", "abcdefghijklmnopqrstuvwxyz234567", authority.pem)


def test_a_token_reads_back_as_it_was_written(token: JoinToken) -> None:
    assert parse(f"  {token}\n") == token
    assert str(token).isprintable()
    assert " " not in str(token)


def test_a_token_does_not_show_its_secret(token: JoinToken) -> None:
    assert token.secret not in repr(token)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[:40], "cut off or damaged"),
        (lambda text: text[:-10], "cut off or damaged"),
        (lambda text: text.replace("abc234", "abc235"), "cut off or damaged"),
        (lambda text: "K10" + text[3:], 'does not begin with "hf1."'),
        (lambda text: text + "x" * 5000, "longer than 4096"),
        (lambda text: "", 'does not begin with "hf1."'),
        (lambda text: "hf1.abc234.9d8a0d3d", "damaged"),
    ],
)
def test_damage_is_named(token: JoinToken, damage: object, says: str) -> None:
    assert callable(damage)
    with pytest.raises(ApiError, match=says) as caught:
        parse(damage(str(token)))
    assert caught.value.reason is Reason.BAD_REQUEST


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_changed_character_goes_unnoticed(token: JoinToken, data: st.DataObject) -> None:
    text = str(token)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda c: c != text[at]))
    with pytest.raises(ApiError):
        parse(text[:at] + other + text[at + 1 :])


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("host", f"host:{JOIN_PORT}"),
        ("host:7000", "host:7000"),
        ("10.0.0.1", f"10.0.0.1:{JOIN_PORT}"),
        ("[fd00::1]", f"[fd00::1]:{JOIN_PORT}"),
        ("[fd00::1]:1", "[fd00::1]:1"),
    ],
)
def test_addresses_get_a_port(address: str, whole: str) -> None:
    assert with_port(address, JOIN_PORT) == whole


@pytest.mark.parametrize(
    "address", ["", "host:", "host:0", "host:99999", "a b", "host:1x", "a:b:c"]
)
def test_bad_addresses_are_refused(address: str) -> None:
    with pytest.raises(ApiError):
        with_port(address, JOIN_PORT)


def test_a_target_is_a_token_and_an_address(token: JoinToken) -> None:
    target = parse_target(f"{token}@control-1:7001")
    assert (target.token, target.address) == (token, "control-1:7001")
    with pytest.raises(ApiError, match="TOKEN@HOST"):
        parse_target(str(token))
