"""The SQLite image of a store: its schema and every statement on it.

Tables: `log` (entries not yet in the image), `changes` (one MVCC table, history and state in
one), `retries` (the table of commit ids), `meta` (one row: where the image stands). Functions
take a connection and run in its thread (`database`); one transaction writes a new log entry
*and* the rows of what was applied before it (`save`), so `applied` never disagrees with them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

from holdfast.control.store import records
from holdfast.control.store.behind import Behind, Entry, Meta
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.retries import Remembered

APPLICATION_ID = 0x48464454  # "HFDT": tells our files from others
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster_id TEXT NOT NULL, term INTEGER NOT NULL, applied INTEGER NOT NULL,
    log_crc INTEGER NOT NULL, revision INTEGER NOT NULL, floor INTEGER NOT NULL,
    checksum INTEGER NOT NULL, last_retry INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    swept INTEGER NOT NULL
);
CREATE TABLE log (
    position INTEGER PRIMARY KEY, term INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, created INTEGER NOT NULL, replaced INTEGER NOT NULL,
    last INTEGER NOT NULL, value BLOB
);
CREATE INDEX changes_by_key ON changes (resource, namespace, name, revision);
CREATE TABLE retries (position INTEGER PRIMARY KEY, id BLOB NOT NULL, result BLOB);
"""
# At most this many rows in one statement: eight columns stay below SQLite's usual limit of
# 32,766 variables, and a transaction of a full group needs one or two statements.
ROWS_MAX = 1_024
FREE_PAGES_KEPT = 1_024
VACUUM_PAGES = 128


def create(connection: sqlite3.Connection, cluster_id: str) -> None:
    """Make the tables of a new store in an empty file."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in SCHEMA.strip().split(";")[:-1]:
        connection.execute(statement)
    meta = Meta(cluster_id)
    values = (*astuple(meta), meta.crc)
    connection.execute(f"INSERT INTO meta VALUES (1, {marks(9)}, 0)", values)  # noqa: S608


def marks(count: int) -> str:
    """`count` question marks."""
    return ", ".join("?" * count)


def save(connection: sqlite3.Connection, entry: Entry | None, behind: Behind | None) -> None:
    """Append a log entry and write what is behind it. Inside a transaction."""
    if entry:
        values = (entry.index, entry.term, entry.crc, entry.data)
        connection.execute("INSERT INTO log VALUES (?, ?, ?, ?)", values)
    if behind:
        _insert_changes(connection, behind.changes)
        _save_retries(connection, behind)
        save_meta(connection, behind.meta)
        # The rows of these entries are in this same transaction.
        connection.execute("DELETE FROM log WHERE position <= ?", (behind.meta.applied,))


def save_meta(connection: sqlite3.Connection, meta: Meta) -> None:
    """Write where the image stands."""
    columns = "cluster_id, term, applied, log_crc, revision, floor, checksum, last_retry, crc"
    values = (*astuple(meta), meta.crc)
    connection.execute(f"UPDATE meta SET ({columns}) = ({marks(9)})", values)  # noqa: S608


def _insert_changes(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """One multi-row statement a slice: each statement hands the GIL over and back."""
    for start in range(0, len(changes), ROWS_MAX):
        values: list[object] = []
        for revision, key, value, _, created, replaced, end in changes[start : start + ROWS_MAX]:
            values += (revision, *key, created, replaced, end, value)
        rows = ", ".join([f"({marks(8)})"] * (len(values) // 8))
        connection.execute(f"INSERT INTO changes VALUES {rows}", values)  # noqa: S608


def _save_retries(connection: sqlite3.Connection, behind: Behind) -> None:
    if not behind.retries:
        return  # the bounds move only when a row is added
    for start in range(0, len(behind.retries), ROWS_MAX):
        values: list[object] = []
        for one in behind.retries[start : start + ROWS_MAX]:
            result = None if one.result is None else records.encode_result(one.result)
            values += (one.position, one.id, result)
        rows = ", ".join([f"({marks(3)})"] * (len(values) // 3))
        connection.execute(f"INSERT INTO retries VALUES {rows}", values)  # noqa: S608
    first, results_from = behind.pruned
    if first == results_from:
        return  # no result was dropped, so no id either
    connection.execute(
        "UPDATE retries SET result = NULL WHERE position BETWEEN ? AND ?",
        (first, results_from - 1),
    )
    connection.execute("DELETE FROM retries WHERE position < ?", (behind.spent_from,))


def load_meta(connection: sqlite3.Connection) -> tuple[Meta, int] | None:
    """Where the image stands and how far it is swept; None when its own checksum is wrong."""
    row = connection.execute("SELECT * FROM meta").fetchone()
    if row is None:
        return None
    meta = Meta(*row[1:9])
    return (meta, row[10]) if meta.crc == row[9] else None


def load_log(connection: sqlite3.Connection, after: int) -> list[Entry]:
    """The entries above an index, in order."""
    rows = connection.execute("SELECT * FROM log WHERE position > ? ORDER BY position", (after,))
    return [Entry(*row) for row in rows]


def load_retries(connection: sqlite3.Connection) -> list[Remembered]:
    """The table of ids, oldest first. Raises RecordError."""
    rows = connection.execute("SELECT * FROM retries ORDER BY position")
    return [
        Remembered(position, commit_id, None if data is None else records.decode_result(data))
        for position, commit_id, data in rows
    ]


def load_rows(connection: sqlite3.Connection, after: Key | None, limit: int) -> list[Row]:
    """A slice of the objects the image holds, ordered by key."""
    if after is None:
        return _newest(connection, "1", (), limit)
    return _newest(connection, "(resource, namespace, name) > (?, ?, ?)", after, limit)


def page(
    connection: sqlite3.Connection, scope: tuple[str, str], revision: int, after: Key | None,
    limit: int,
) -> list[Row]:  # fmt: skip
    """Objects as they were at a revision, ordered by key. scope: resource, and namespace or ""."""
    resource, namespace = scope
    where, values = "revision <= ? AND resource = ?", [revision, resource]
    if namespace:
        where, values = where + " AND namespace = ?", [*values, namespace]
    if after:
        where, values = where + " AND (namespace, name) > (?, ?)", [*values, *after[1:]]
    return _newest(connection, where, values, limit)


def _newest(
    connection: sqlite3.Connection, where: str, values: Sequence[object], limit: int
) -> list[Row]:
    """The newest row of each key among those that match, unless it is a deletion."""
    newest = (
        "SELECT max(revision) AS newest FROM changes INDEXED BY changes_by_key"  # noqa: S608
        f" WHERE {where} GROUP BY resource, namespace, name ORDER BY resource, namespace, name"
    )
    rows = connection.execute(
        "SELECT resource, namespace, name, value, revision, created"  # noqa: S608
        f" FROM ({newest}) JOIN changes ON revision = newest WHERE value IS NOT NULL LIMIT ?",
        (*values, limit),
    )
    return [Row(Key(*row[:3]), *row[3:]) for row in rows]


def history(connection: sqlite3.Connection, after: int, limit: int) -> list[Change]:
    """Changes with revisions above `after`, in order."""
    rows = connection.execute(
        "SELECT c.revision, c.resource, c.namespace, c.name, c.value, p.value, c.created,"
        " c.replaced, c.last FROM changes c LEFT JOIN changes p ON p.revision = c.replaced"
        " WHERE c.revision > ? ORDER BY c.revision LIMIT ?",
        (after, limit),
    )
    return [Change(row[0], Key(*row[1:4]), *row[4:]) for row in rows]


def sweep(connection: sqlite3.Connection, after: int, upto: int) -> None:
    """Drop what the changes in (after, upto] replaced, and the deletions among them.

    upto is at most the durable floor; every slice below `after` was swept. The state at the
    floor stays: what a change above the floor replaced is not touched. Inside a transaction.
    """
    span = (after, upto)
    connection.execute(
        "DELETE FROM changes WHERE revision IN"
        " (SELECT replaced FROM changes WHERE revision > ? AND revision <= ? AND replaced > 0)",
        span,
    )
    connection.execute(
        "DELETE FROM changes WHERE revision > ? AND revision <= ? AND value IS NULL", span
    )
    connection.execute("UPDATE meta SET swept = ?", (upto,))


def shrink(connection: sqlite3.Connection) -> None:
    """Give a slice of the free pages back, when more than a quarter of the file is free."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if free > max(FREE_PAGES_KEPT, pages // 4):
        connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move what the write-ahead log holds into the file, as far as readers allow."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
