"""The rows of a received snapshot in SQLite, until they take the place of the image's own.

They come into tables of their own, a piece a transaction; one small transaction then renames
these to the image's names, and what was there is dropped in slices (`discard`). Functions take a
connection and run in its thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from holdfast.control.raft.messages import Entry, EntryType, HardState
from holdfast.control.store import image
from holdfast.control.store.batches import insertions
from holdfast.control.store.behind import Meta
from holdfast.control.store.replicated import log_rows
from holdfast.control.store.replicated.tail import Linked

SUFFIX = "_incoming"
OLD = "_old"
TABLES = ("changes", "retries")
DISCARD_ROWS = 256

ChangeValues = tuple[int, str, str, str, int, int, int, bytes | None]
RetryValues = tuple[int, bytes, bytes | None]


def begin(connection: sqlite3.Connection) -> None:
    """Empty tables for a snapshot. Inside a transaction."""
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}{SUFFIX}")
    # An index keeps its name when its table is renamed, so those in use are passed over.
    number = 1
    while _exists(connection, f"changes{SUFFIX}_by_key{number}"):
        number += 1
    schema = image.ROWS_SCHEMA.format(suffix=SUFFIX, n=number)
    for statement in schema.strip().split(";")[:-1]:
        connection.execute(statement)


def add(
    connection: sqlite3.Connection, changes: Sequence[ChangeValues], retries: Sequence[RetryValues]
) -> None:
    """Rows of one piece. Inside a transaction."""
    changes_to, retries_to = (table + SUFFIX for table in TABLES)
    connection.executemany(
        f"INSERT INTO {changes_to} VALUES ({insertions.marks(8)})",  # noqa: S608
        changes,
    )
    connection.executemany(
        f"INSERT INTO {retries_to} VALUES ({insertions.marks(3)})",  # noqa: S608
        retries,
    )


def install(connection: sqlite3.Connection, meta: Meta, swept: int, state: HardState) -> None:
    """Put what came in place of the image and of the whole log. Inside a transaction."""
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}{OLD}")
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}{OLD}")
        connection.execute(f"ALTER TABLE {table}{SUFFIX} RENAME TO {table}")
    image.save_meta(connection, meta)
    connection.execute("UPDATE meta SET swept = ?", (swept,))
    connection.execute("DELETE FROM log")
    anchor = Entry(meta.applied, meta.term, EntryType.NORMAL, b"")
    log_rows.insert(connection, [Linked(anchor, meta.log_crc)])
    log_rows.save_hard_state(connection, state)


def discard(connection: sqlite3.Connection) -> bool:
    """Drop a slice of what a snapshot replaced; False when nothing is left. Each slice is a
    transaction of its own."""
    for table in TABLES:
        old = table + OLD
        if not _exists(connection, old):
            continue
        rows = f"SELECT rowid FROM {old} LIMIT {DISCARD_ROWS}"  # noqa: S608
        gone = connection.execute(f"DELETE FROM {old} WHERE rowid IN ({rows})")  # noqa: S608
        if not gone.rowcount:
            connection.execute(f"DROP TABLE {old}")
        return True
    return False


def abandon(connection: sqlite3.Connection) -> None:
    """What is left of a snapshot that never became whole goes the same way. At a start."""
    for table in TABLES:
        if _exists(connection, table + SUFFIX):
            connection.execute(f"DROP TABLE IF EXISTS {table}{OLD}")
            connection.execute(f"ALTER TABLE {table}{SUFFIX} RENAME TO {table}{OLD}")


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None
