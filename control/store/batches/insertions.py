"""Rows into the tables of an image, many in one statement.

Each statement hands the GIL over and back, and each value that is bound costs, so new objects of
one place (the usual large batch) bind what is the same for all of them once. Called in the
connection's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat

from holdfast.control.store import records
from holdfast.control.store.commands import Change
from holdfast.control.store.retries import Remembered

# At most this many rows in one statement: eight columns stay below SQLite's usual limit of
# 32,766 variables, and a transaction of a full group needs one or two statements.
ROWS_MAX = 1_024
# Fewer rows than this are one statement, of whatever number; more are cut at powers of two.
ROWS_EXACT = 64
STATEMENTS_KEPT = 256
_OWN = 4  # what new objects of one place do not share: revision, name, last, value


def insert_changes(
    connection: sqlite3.Connection, changes: Sequence[Change], table: str = "changes"
) -> None:
    """Add rows to the table of changes."""
    for start, end in portions(len(changes)):
        revisions, keys, values, _, created, replaced, last = zip(*changes[start:end], strict=True)
        resources, namespaces, names = zip(*keys, strict=True)
        place, count = (resources[0], namespaces[0]), end - start
        alone = resources.count(place[0]) == count == namespaces.count(place[1])
        new = created == revisions and not any(replaced)
        blobs = list(map(bytearray, values) if None not in values else map(_blob, values))
        if new and alone:
            own = _rows(revisions, names, last, blobs)
            connection.execute(_creation(table, count), [*place, *own])
        else:
            own = _rows(revisions, resources, namespaces, names, created, replaced, last, blobs)
            connection.execute(insertion(table, 8, count), own)


def insert_retries(
    connection: sqlite3.Connection, retries: Sequence[Remembered], table: str = "retries"
) -> None:
    """Add rows to the table of ids."""
    for start, end in portions(len(retries)):
        values: list[object] = []
        for one in retries[start:end]:
            result = None if one.result is None else records.encode_result(one.result)
            values += (one.position, _blob(one.id), _blob(result))
        connection.execute(insertion(table, 3, end - start), values)


def _blob(value: bytes | None) -> bytearray | None:
    """The module of Python offers bytes to its adapters before it binds them, which takes longer
    than to copy them: it does not with these."""
    return None if value is None else bytearray(value)


def _rows(*columns: Sequence[object]) -> list[object]:
    """The values of all rows, row by row."""
    width = len(columns)
    values: list[object] = [None] * (width * len(columns[0]))
    for at, column in enumerate(columns):
        values[at::width] = column
    return values


def portions(count: int) -> Iterator[tuple[int, int]]:
    """How many rows are cut into statements: (start, end) of each.

    Few sizes, so that their texts come again and again: SQLite parses each once.
    """
    start = 0
    while start < count:
        left = count - start
        size = left if left < ROWS_EXACT else min(1 << left.bit_length() - 1, ROWS_MAX)
        yield start, start + size
        start += size


def marks(count: int) -> str:
    """`count` question marks."""
    return ", ".join(repeat("?", count))


@lru_cache(STATEMENTS_KEPT)
def insertion(table: str, columns: int, rows: int) -> str:
    """The statement that adds so many rows."""
    values = ", ".join([f"({marks(columns)})"] * rows)
    return f"INSERT INTO {table} VALUES {values}"  # noqa: S608


@lru_cache(STATEMENTS_KEPT)
def _creation(table: str, rows: int) -> str:
    """The statement that adds so many changes, each a new object of the one place that is bound
    first: resource and namespace, then the own values of each."""
    values = [
        f"(?{at}, ?1, ?2, ?{at + 1}, ?{at}, 0, ?{at + 2}, ?{at + 3})"
        for at in range(3, 3 + _OWN * rows, _OWN)
    ]
    return f"INSERT INTO {table} VALUES {', '.join(values)}"  # noqa: S608
