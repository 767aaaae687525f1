"""Labels and values as kubectl describe aligns them: blocks below blocks, tables, lists.

A page is a list of (label, value). Values stand in one column per block; a value that is a block
or a table of its own goes below its label, two spaces further in. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from holdfast.cli.output import table

NONE = "<none>"
INDENT = "  "
GAP = "  "


class Block(NamedTuple):
    """Fields below a label."""

    fields: Fields


class Grid(NamedTuple):
    """A table below a label."""

    header: tuple[str, ...]
    rows: list[list[str]]


Value: TypeAlias = "str | list[str] | Block | Grid"
"""One line, several lines below each other in the value column, a block, or a table."""
Fields: TypeAlias = "list[tuple[str, Value]]"


def block(fields: Iterable[tuple[str, Value]]) -> Block:
    """Fields below a label; none of them reads <none>."""
    return Block(list(fields))


def pairs(items: Iterable[tuple[str, str]]) -> list[str]:
    """A map as lines key=value, sorted: labels."""
    return [f"{key}={value}" for key, value in sorted(items)]


def lines(fields: Fields, indent: str = "") -> list[str]:
    """The page as text."""
    width = max((len(label) + 1 for label, value in fields if not _is_below(value)), default=0)
    found: list[str] = []
    for label, value in fields:
        head = f"{indent}{label}:"
        if _is_below(value):
            found += [head, *_below(value, indent + INDENT)]
            continue
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        first, *rest = texts or [NONE]
        start = f"{head:<{len(indent) + width}}{GAP}"
        found += [f"{start}{first}".rstrip()]
        found += [f"{' ' * len(start)}{text}".rstrip() for text in rest]
    return found


def _is_below(value: Value) -> bool:
    return isinstance(value, Block | Grid) and bool(value[-1])


def _below(value: Value, indent: str) -> list[str]:
    if isinstance(value, Block):
        return lines(value.fields, indent)
    assert isinstance(value, Grid)
    dashes = ["-" * len(name) for name in value.header]
    rows: Sequence[Sequence[str]] = [dashes, *value.rows]
    return [indent + line for line in table.lines(value.header, rows)]
