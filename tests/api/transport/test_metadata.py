"""gRPC's forms in header fields."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.transport import metadata
from holdfast.api.transport.http2.fields import Block, Decoder, encode
from holdfast.api.transport.metadata import Status
from tests.texts import texts

GOOD = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/s/m"),
    (b"content-type", b"application/grpc"),
]


def block(*fields: tuple[bytes, bytes]) -> Block:
    return Block(tuple(fields))


def test_a_request() -> None:
    asked = metadata.request(
        block(*GOOD, (b"grpc-timeout", b"5S"), (b"a", b"1"), (b"b-bin", b"AAE="), (b"a", b"2"))
    )
    assert asked == ("/s/m", (("a", "1"), ("b-bin", b"\0\1"), ("a", "2")), 5.0, b"")


REFUSED = {
    "get": ([(b":method", b"GET"), *GOOD[1:]], b"405"),
    "json": ([*GOOD[:3], (b"content-type", b"application/json")], b"415"),
    "grpc-web": ([*GOOD[:3], (b"content-type", b"application/grpc-web")], b"415"),
    "no path": ([GOOD[0], GOOD[1], GOOD[3]], b"400"),
    "path twice": ([*GOOD[:3], *GOOD[2:]], b"400"),
    "late pseudo-field": ([GOOD[3], *GOOD[:3]], b"400"),
    "unknown pseudo-field": ([(b":x", b"1"), *GOOD], b"400"),
    "upper case": ([*GOOD, (b"Abc", b"1")], b"400"),
    "no ASCII": ([*GOOD, (b"\xff-bin", b"1")], b"400"),
    "line end": ([*GOOD, (b"a", b"1\r\nb: 2")], b"400"),
    "of HTTP/1": ([*GOOD, (b"connection", b"close")], b"400"),
}


@pytest.mark.parametrize(("fields", "code"), REFUSED.values(), ids=REFUSED)
def test_no_request(fields: list[tuple[bytes, bytes]], code: bytes) -> None:
    assert metadata.request(block(*fields)).refused == code


def test_grpc_of_a_named_format_is_grpc() -> None:
    for kind in (b"application/grpc+proto", b"application/grpc;charset=utf-8"):
        assert metadata.request(block(*GOOD[:3], (b"content-type", kind))).refused == b""


@pytest.mark.parametrize(
    ("timeout_s", "wanted"),
    [
        (5, b"5S"),
        (30.0, b"30S"),
        (0.25, b"250m"),
        (0.0001, b"1m"),
        (0, b"1m"),
        (-3, b"1m"),
        (1.5, b"1500m"),
        (99_999.999, b"99999999m"),
        (200_000.5, b"200001S"),
        (1e12, b"99999999S"),
        (math.inf, b"99999999S"),
    ],
)
def test_a_deadline(timeout_s: float, wanted: bytes) -> None:
    assert metadata.timeout_field(timeout_s) == (b"grpc-timeout", wanted)


@given(st.floats(0.001, 1e7))
def test_a_deadline_comes_back_within_a_second_of_a_day(timeout_s: float) -> None:
    sent = metadata.timeout_field(timeout_s)
    back = metadata.request(block(*GOOD, sent)).timeout_s
    assert back is not None
    assert 0 <= back - timeout_s + 1e-6 < (0.002 if timeout_s < 90_000 else 1.001)


@pytest.mark.parametrize(("raw", "wanted"), [(b"1H", 3600.0), (b"7n", 7e-9), (b"2M", 120.0)])
def test_deadlines_of_others(raw: bytes, wanted: float) -> None:
    asked = metadata.request(block(*GOOD, (b"grpc-timeout", raw)))
    assert asked.timeout_s == pytest.approx(wanted)


@given(st.integers(0, 16), texts(300), st.binary(max_size=50))
def test_a_status_comes_back(code: int, details: str, raw: bytes) -> None:
    ended = Status(code, details, (("k-bin", raw), ("k", "v")))
    assert metadata.status(Decoder().decode(metadata.status_fields(ended))) == ended


def test_a_sentence_in_any_script() -> None:
    sent = metadata.status_fields(Status(2, "100 % für größere\n日本", ()))
    assert b"100 %25 f%C3%BCr gr%C3%B6%C3%9Fere%0A%E6%97%A5%E6%9C%AC" in sent


@pytest.mark.parametrize("details", ["x" * 100_000, "日" * 100_000, "\n" * 100_000])
def test_a_status_that_is_too_long_is_cut(details: str) -> None:
    ended = Status(5, details, (("k-bin", bytes(60_000)),))
    sent = metadata.status_fields(ended)
    assert len(sent) <= metadata.BLOCK_BYTES_MAX
    back = metadata.status(Decoder().decode(sent))
    assert back.code == 5
    assert back.details
    assert details.startswith(back.details)


def test_half_a_character_does_not_break_a_status() -> None:
    assert metadata.status(Decoder().decode(metadata.status_fields(Status(2, "\ud800", ()))))


@pytest.mark.parametrize("value", [b"aGk", b"aGk=", b" aGk="])
def test_binary_values_with_and_without_padding(value: bytes) -> None:
    assert metadata.metadata([(b"a-bin", value)]) == (("a-bin", b"hi"),)


def test_binary_values_in_one_field() -> None:
    assert metadata.metadata([(b"a-bin", b"aGk,aG8=,?")]) == (
        ("a-bin", b"hi"),
        ("a-bin", b"ho"),
        ("a-bin", b""),
    )


@pytest.mark.parametrize(
    "pair", [("grpc-x", "1"), (":path", "/"), ("a b", "1"), ("a", "ü"), ("a", "1\n"), ("", "1")]
)
def test_metadata_that_may_not_be_sent(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"metadata|printable"):
        metadata.metadata_fields([pair])


@pytest.mark.parametrize(
    ("code", "wanted"), [(b"404", 12), (b"503", 14), (b"401", 16), (b"200", 2), (b"418", 2)]
)
def test_an_answer_that_is_no_grpc(code: bytes, wanted: int) -> None:
    answer = block((b":status", code), (b"content-type", b"text/html"))
    wrong = metadata.answer(answer)
    assert wrong is not None
    assert wrong.code == wanted
    assert code.decode() in wrong.details


def test_an_answers_head_is_no_status() -> None:
    head = block((b":status", b"200"), (b"content-type", b"application/grpc"))
    assert metadata.answer(head) is None
    assert metadata.status(head).code == 2
    assert encode(head.fields)
