"""Quantities against a naive twin, and the canonical forms that Kubernetes prints."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api import quantity
from holdfast.api.quantity import QuantityError

MULTIPLES: dict[str, Fraction] = {
    "": Fraction(1),
    **{s: Fraction(10) ** (3 * n) for n, s in enumerate("kMGTPE", 1)},
    **{f"{s}i": Fraction(1024) ** n for n, s in enumerate("KMGTPE", 1)},
    **{s: Fraction(1, 1000**n) for n, s in enumerate("mun", 1)},
    **{f"e{n}": Fraction(10) ** n for n in range(-9, 20)},
    **{f"E{n}": Fraction(10) ** n for n in range(20)},
}

TEXTS = st.builds(
    lambda sign, whole, fraction, suffix: (sign, whole, fraction, suffix),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 10**9),
    st.sampled_from(["", ".", ".5", ".25", ".001", ".100", ".000000001", ".0000000001"]),
    st.sampled_from(sorted(MULTIPLES)),
)


def naive(sign: str, whole: int, fraction: str, suffix: str) -> Fraction:
    value = Fraction(Decimal(f"{whole}{fraction}")) * MULTIPLES[suffix]
    nanos = value * 10**9
    value = Fraction(-int(-nanos // 1), 10**9)
    if suffix.endswith("i"):
        value = min(value, Fraction(2**63 - 1))
    return -value if sign == "-" else value


@given(TEXTS)
def test_value_is_exact(parts: tuple[str, int, str, str]) -> None:
    sign, whole, fraction, suffix = parts
    assert quantity.parse(f"{sign}{whole}{fraction}{suffix}") == naive(*parts)


@given(TEXTS)
def test_canonical_form_keeps_the_value_and_is_its_own(parts: tuple[str, int, str, str]) -> None:
    sign, whole, fraction, suffix = parts
    text = quantity.canonical(f"{sign}{whole}{fraction}{suffix}")
    assert quantity.parse(text) == naive(*parts)
    assert quantity.canonical(text) == text
    assert "." not in text


@given(TEXTS)
def test_integers_round_away_from_zero(parts: tuple[str, int, str, str]) -> None:
    text = "".join(map(str, parts))
    value = naive(*parts)
    for got, exact in ((quantity.to_int(text), value), (quantity.to_milli(text), value * 1000)):
        assert abs(got) >= abs(exact) > abs(got) - 1 or got == exact == 0
        assert got * exact >= 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", "0"), ("0Gi", "0"), ("-0", "0"), ("1000m", "1"), ("0.1", "100m"), ("1.5", "1500m"),
        ("1500m", "1500m"), ("1024", "1024"), ("1024Ki", "1Mi"), ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"), ("1023", "1023"), ("2048", "2048"), ("0.5Gi", "512Mi"),
        ("1.1Ki", "1126400m"), ("1000k", "1M"), ("100000", "100k"), ("1234567", "1234567"),
        ("1e3", "1e3"), ("12e6", "12e6"), ("1000e3", "1e6"), ("1E2", "100"), ("1E", "1E"),
        ("1000E", "1000E"), ("0.0000000001", "1n"), ("-1.5Gi", "-1536Mi"),
        ("9Ei", "9223372036854775807"),
        (".5", "500m"), ("5.", "5"), ("1e-3", "1e-3"), ("+1", "1"), ("007", "7"),
    ],
)  # fmt: skip
def test_canonical_forms(text: str, wanted: str) -> None:
    assert quantity.canonical(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "1x", "1 ", " 1", "1..5", ".", "-", "+", "1e", "1e+", "1ki", "1K", "1KI", "1mi",
     "0x1", "1_000", "١", "1e100", "1e-100", "1" * 65, "1\n", "--1", "inf", "nan", "1,5"],
)  # fmt: skip
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        quantity.parse(text)
