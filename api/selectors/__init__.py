"""Selectors: which objects, by their labels or by their fields.

`labels` holds what a label selector means, `grammar` its text form, `fields` the field selectors
that a kind allows. What a label's key and value may be is said by `api.names`. Pure package.
"""

from holdfast.api.selectors.fields import FieldSelector, parse_fields
from holdfast.api.selectors.grammar import parse_labels
from holdfast.api.selectors.labels import (
    EVERYTHING,
    NOTHING,
    LabelSelector,
    Operator,
    Requirement,
    from_message,
    of_labels,
)

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldSelector",
    "LabelSelector",
    "Operator",
    "Requirement",
    "from_message",
    "of_labels",
    "parse_fields",
    "parse_labels",
]
