"""Quantities: exact numbers with Kubernetes' suffixes, "100m", "1.5Gi", "12e6".

Everybody who adds, compares or prints cpu, memory or storage goes through here: the codec (which
writes the canonical form), validation, the scheduler's integer columns. Values are exact
fractions, never floats. The rules are those of apimachinery's resource.Quantity: nothing is
smaller than 1n (rounded away from zero), binary quantities stop at 2^63-1.

Pure module.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

LENGTH_MAX = 64  # characters; longer text is refused before any arithmetic
EXPONENT_MAX = 99  # of "1e99"; bounds the size of the numbers
CACHED = 8192  # distinct texts remembered: a cluster uses few

_FORM = re.compile(
    r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE])([+-]?[0-9]+)|([KMGTPE]i)|([numkMGTPE]))?"
)
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}
_DECIMAL_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _DECIMAL.items()}}
_NANO = 10**9
_BINARY_MAX = 2**63 - 1


class QuantityError(ValueError):
    """The text is no quantity; the message says why, for the person who wrote it."""


class _Format(StrEnum):
    """How the text was written, and so how its canonical form is."""

    DECIMAL = "DecimalSI"
    BINARY = "BinarySI"
    EXPONENT = "DecimalExponent"


def parse(text: str) -> Fraction:
    """The exact value of `text`, in its base unit (cores, bytes).

    Raises QuantityError. Source: ParseQuantity of apimachinery's pkg/api/resource.
    """
    return _read(text)[0]


@lru_cache(maxsize=CACHED)
def to_milli(text: str) -> int:
    """The value in thousandths, rounded away from zero: "0.1" is 100. Raises QuantityError."""
    return _away_from_zero(parse(text) * 1000)


@lru_cache(maxsize=CACHED)
def to_int(text: str) -> int:
    """The value in whole units, rounded away from zero: "1.5" is 2. Raises QuantityError."""
    return _away_from_zero(parse(text))


@lru_cache(maxsize=CACHED)
def canonical(text: str) -> str:
    """The one way Kubernetes prints this value in its own format: "1000m" is "1".

    No fraction digits, the largest suffix that keeps the number whole, a binary quantity that is
    small or not whole as a decimal one. Raises QuantityError.
    """
    value, form = _read(text)
    return _print(value, form)


@lru_cache(maxsize=CACHED)
def _read(text: str) -> tuple[Fraction, _Format]:
    match = _FORM.fullmatch(text) if len(text) <= LENGTH_MAX else None
    if match is None:
        raise QuantityError(f"{_shown(text)} is not a quantity, like 500m, 2 or 1.5Gi")
    sign, digits, mark, exponent, binary, decimal = match.groups()
    value, form = Fraction(digits.rstrip(".")), _Format.DECIMAL
    if mark:
        power = int(exponent)
        if abs(power) > EXPONENT_MAX:
            raise QuantityError(f"{_shown(text)} is out of range: exponents end at {EXPONENT_MAX}")
        value, form = value * Fraction(10) ** power, _Format.EXPONENT
    elif binary:
        value, form = value * 2 ** _BINARY[binary], _Format.BINARY
    elif decimal:
        value *= Fraction(10) ** _DECIMAL[decimal]
    value = Fraction(_away_from_zero(value * _NANO), _NANO)
    if form is _Format.BINARY:
        value = min(value, Fraction(_BINARY_MAX))
    return (-value if sign == "-" else value), form


def _print(value: Fraction, form: _Format) -> str:
    if not value:
        return "0"
    if form is _Format.BINARY and abs(value) >= 1024 and value.denominator == 1:
        number, exponent = _without_factor(value.numerator, 1024, len(_BINARY))
        return f"{number}{_BINARY_SUFFIX[exponent * 10]}"
    # In nanos every value is whole; thousands then move into the suffix.
    most = 9 if form is not _Format.EXPONENT else EXPONENT_MAX
    number, thousands = _without_factor(int(value * _NANO), 1000, most)
    exponent = 3 * thousands - 9
    if form is _Format.EXPONENT:
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_SUFFIX[exponent]}"


def _without_factor(number: int, factor: int, times_max: int) -> tuple[int, int]:
    times = 0
    while times < times_max and number % factor == 0:
        number //= factor
        times += 1
    return number, times


def _away_from_zero(value: Fraction) -> int:
    if value < 0:
        return -_away_from_zero(-value)
    return -(-value.numerator // value.denominator)


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= LENGTH_MAX else f'"{text[:LENGTH_MAX]}…"'
