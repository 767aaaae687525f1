"""Rules for labels, annotations and label selectors, wherever they stand. Pure module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.api import names

if TYPE_CHECKING:
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.api.objects.findings import Findings

ANNOTATIONS_BYTES_MAX = 256 * 1024

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def validate(labels: Mapping[str, str], path: str, found: Findings) -> None:
    """Keys are qualified names, values are label values."""
    for key, value in labels.items():
        if broken := names.qualified(key):
            found.invalid(path, key, broken)
        if broken := names.label_value(value):
            found.invalid(f"{path}[{key}]", value, broken)


def validate_annotations(annotations: Mapping[str, str], path: str, found: Findings) -> None:
    """Keys are qualified names in any case; all together hold at most 256 KiB."""
    size = 0
    for key, value in annotations.items():
        if broken := names.qualified(key.lower()):
            found.invalid(path, key, broken)
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_BYTES_MAX:
        found.too_long(path, ANNOTATIONS_BYTES_MAX)


def validate_selector(selector: meta.LabelSelector, path: str, found: Findings) -> None:
    """matchLabels like labels; each expression has a known operator and the values it needs."""
    validate(selector.matchLabels, f"{path}.matchLabels", found)
    for index, term in enumerate(selector.matchExpressions):
        at = f"{path}.matchExpressions[{index}]"
        if broken := names.qualified(term.key):
            found.invalid(f"{at}.key", term.key, broken)
        if term.operator not in _OPERATORS:
            found.one_of(f"{at}.operator", term.operator, _OPERATORS)
        elif term.operator in ("In", "NotIn"):
            if not term.values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                found.required(f"{at}.values", detail)
        elif term.values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.forbidden(f"{at}.values", detail)
        for number, value in enumerate(term.values):
            if broken := names.label_value(value):
                found.invalid(f"{at}.values[{number}]", value, broken)
