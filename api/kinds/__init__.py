"""The table of kinds: names, scope, verbs, columns, selectable fields, and what is built.

    kind = kinds.by_resource("deployments.apps")
    pod = kinds.by_word("po").message(...)

One entry says all about a resource, once: keys, CLI tables, discovery and selectors come from it.
To build a kind, set `built=True` and give it its columns. Nothing here reads or writes objects:
rules over objects are in `holdfast.api.objects`. Pure package.
"""

from holdfast.api.kinds.kind import AGE, NAME, VERBS, Column, Kind
from holdfast.api.kinds.table import (
    all_kinds,
    by_category,
    by_kind,
    by_resource,
    by_word,
    require_built,
    subresource_message,
)

__all__ = [
    "AGE",
    "NAME",
    "VERBS",
    "Column",
    "Kind",
    "all_kinds",
    "by_category",
    "by_kind",
    "by_resource",
    "by_word",
    "require_built",
    "subresource_message",
]
