"""What a plain YAML scalar means: text, number, boolean or nothing.

The reader and the printer share these rules, so that what is printed is read back as it was.
They are those of the YAML that Kubernetes reads: 1.1's booleans and octal, no base 60, and times
stay text. Source: resolve.go of sigs.k8s.io/yaml. Pure module.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {
    form: value
    for words, value in (("y yes true on", True), ("n no false off", False), ("null", None))
    for word in words.split()
    for form in (word, word.capitalize(), word.upper())
}
_WORDS |= {"": None, "~": None}
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# Text for us, but other readers of YAML 1.1 take it for a time or a number in base 60.
_AMBIGUOUS = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9]*)?"
)
_FIRST = frozenset("yYnNtTfFoO~-+.0123456789")
_INTEGER_MAX = 2**64 - 1
_DIGITS_MAX = 64  # a longer number is read as a float


def resolve(text: str) -> Scalar:
    """The value of plain scalar `text`. Infinities and nan come out as floats."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "").lower())
    digits = text.replace("_", "") if text[0] in "-+0123456789" else text
    match = _INTEGER.fullmatch(digits) if len(digits) <= _DIGITS_MAX else None
    if match:
        number = _integer(match)
        if -(2**63) <= number <= _INTEGER_MAX:
            return number
    if _FLOAT.fullmatch(digits):
        return _whole(float(digits))
    return text


def looks_otherwise(text: str) -> bool:
    """Whether text, printed plain, might be read as something else than text."""
    return not isinstance(resolve(text), str) or bool(_AMBIGUOUS.fullmatch(text))


def _integer(match: re.Match[str]) -> int:
    sign, hexadecimal, binary, octal, decimal = match.groups()
    for digits, base in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10)):
        if digits:
            return int(sign + digits, base)
    raise AssertionError("one of the forms matched")


def _whole(number: float) -> int | float:
    """A float with no fraction as the integer that JSON writes for it."""
    if math.isfinite(number) and number.is_integer() and abs(number) < 2**63:
        return int(number)
    return number
