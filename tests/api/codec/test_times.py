"""Times and durations: RFC 3339 and Go's durations, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.codec import times
from holdfast.api.codec.forms import FORMS
from holdfast.api.meta.v1 import meta_pb2 as meta


@given(st.integers(times.ZERO_S, 253402300799))
def test_seconds_come_back(seconds: int) -> None:
    assert times.parse_time(times.time_text(seconds)) == (seconds, 0)


@given(st.integers(times.ZERO_S, 253402300799), st.integers(0, 999_999))
def test_microseconds_come_back(seconds: int, micros: int) -> None:
    text = times.micro_time_text(seconds, micros * 1000)
    assert times.parse_time(text) == (seconds, micros * 1000)


def test_a_poisoned_time_is_still_written() -> None:
    assert times.time_text(2**62) == "9999-12-31T23:59:59Z"
    assert times.time_text(-(2**62)) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (-1_500_000_000, "-1.5s"),
    ],
)
def test_durations_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert times.duration_text(nanoseconds) == text
    assert times.parse_duration(text) == nanoseconds


@given(st.integers(-(2**62), 2**62))
def test_durations_come_back(nanoseconds: int) -> None:
    assert times.parse_duration(times.duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "3", "-", "1x", "s", "1h 2m", "9999999h", "1..5s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        times.parse_duration(text)


def test_duration_is_a_special_form() -> None:
    form, message = FORMS["holdfast.api.meta.v1.Duration"], meta.Duration()
    form.read(message, "1h5m")
    assert form.write(message) == "1h5m0s"


@pytest.mark.parametrize("text", ["2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        times.parse_time(text)
