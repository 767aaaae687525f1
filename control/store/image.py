"""The SQLite image of a store: its schema and the statements on objects, ids and position.

Tables: `log` and `hard_state` (see `log_rows`), `changes` (one MVCC table, history and state in
one), `retries` (the table of commit ids), `meta` (one row: where the image stands). Functions
take a connection and run in its thread (`database`); one transaction writes new log entries
*and* the rows of what was applied before them (`save_behind`), so `applied` never disagrees
with them. The rows of a snapshot that is being received stand in tables of their own
(`incoming`) until one small transaction renames them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from holdfast.control.store import records
from holdfast.control.store.batches.insertions import insert_changes, insert_retries, marks
from holdfast.control.store.behind import Behind, Meta
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.retries import Remembered

APPLICATION_ID = 0x48464454  # "HFDT": tells our files from others
SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster_id TEXT NOT NULL, member INTEGER NOT NULL, conf TEXT NOT NULL, term INTEGER NOT NULL,
    applied INTEGER NOT NULL, log_crc INTEGER NOT NULL, revision INTEGER NOT NULL,
    floor INTEGER NOT NULL, checksum INTEGER NOT NULL, last_retry INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    swept INTEGER NOT NULL
);
CREATE TABLE hard_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    term INTEGER NOT NULL, vote INTEGER NOT NULL, committed INTEGER NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE log (
    position INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL,
    crc INTEGER NOT NULL, data BLOB NOT NULL
);
"""
ROWS_SCHEMA = """
CREATE TABLE changes{suffix} (
    revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, created INTEGER NOT NULL, replaced INTEGER NOT NULL,
    last INTEGER NOT NULL, value BLOB
);
CREATE INDEX changes{suffix}_by_key{n} ON changes{suffix} (resource, namespace, name, revision);
CREATE TABLE retries{suffix} (position INTEGER PRIMARY KEY, id BLOB NOT NULL, result BLOB);
"""
META_COLUMNS = (
    "cluster_id, member, conf, term, applied, log_crc, revision, floor, checksum, last_retry, crc"
)
_META_FIELDS = 10
_LAST = (1 << 63) - 1  # no revision is above it
FREE_PAGES_KEPT = 1_024
VACUUM_PAGES = 128


def create(connection: sqlite3.Connection, meta: Meta) -> None:
    """Make the tables of a new store in an empty file; meta: where it begins."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in (SCHEMA + ROWS_SCHEMA.format(suffix="", n="")).strip().split(";")[:-1]:
        connection.execute(statement)
    values = (*meta, meta.crc)
    connection.execute(
        f"INSERT INTO meta VALUES (1, {marks(_META_FIELDS + 1)}, 0)",  # noqa: S608
        values,
    )


def save_behind(connection: sqlite3.Connection, behind: Behind) -> None:
    """Write what the image lacks. Inside a transaction, behind the log entries it comes from."""
    insert_changes(connection, behind.changes)
    _save_retries(connection, behind)
    save_meta(connection, behind.meta)


def save_meta(connection: sqlite3.Connection, meta: Meta) -> None:
    """Write where the image stands."""
    values = (*meta, meta.crc)
    connection.execute(
        f"UPDATE meta SET ({META_COLUMNS}) = ({marks(_META_FIELDS + 1)})",  # noqa: S608
        values,
    )


def _save_retries(connection: sqlite3.Connection, behind: Behind) -> None:
    if not behind.retries:
        return  # the bounds move only when a row is added
    insert_retries(connection, behind.retries)
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
    row = connection.execute(f"SELECT {META_COLUMNS}, swept FROM meta").fetchone()  # noqa: S608
    if row is None:
        return None
    meta = Meta(*row[:_META_FIELDS])
    return (meta, row[_META_FIELDS + 1]) if meta.crc == row[_META_FIELDS] else None


def load_retries(connection: sqlite3.Connection, table: str = "retries") -> list[Remembered]:
    """The table of ids, oldest first. Raises RecordError."""
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY position")  # noqa: S608
    return [
        Remembered(position, commit_id, None if data is None else records.decode_result(data))
        for position, commit_id, data in rows
    ]


def load_rows(
    connection: sqlite3.Connection, after: Key | None, limit: int, table: str = "changes"
) -> list[Row]:
    """A slice of the objects the image holds, ordered by key."""
    if after is None:
        return _newest(connection, ("1", ()), _LAST, limit, table)
    where = ("(resource, namespace, name) > (?, ?, ?)", after)
    return _newest(connection, where, _LAST, limit, table)


def page(
    connection: sqlite3.Connection, scope: tuple[str, str], revision: int, after: Key | None,
    limit: int,
) -> list[Row]:  # fmt: skip
    """Objects as they were at a revision, ordered by key. scope: resource, and namespace or ""."""
    resource, namespace = scope
    where, values = "+revision <= ? AND resource = ?", [revision, resource]
    if namespace:
        where, values = where + " AND namespace = ?", [*values, namespace]
    if after and after.namespace == namespace:
        where, values = where + " AND name > ?", [*values, after.name]
    elif after:
        where, values = where + " AND (namespace, name) > (?, ?)", [*values, *after[1:]]
    return _newest(connection, (where, values), revision, limit)


def _newest(
    connection: sqlite3.Connection, where: tuple[str, Sequence[object]], revision: int, limit: int,
    table: str = "changes",
) -> list[Row]:  # fmt: skip
    """The newest row up to a revision of each key among those that match, unless it is a deletion.

    Walks the index by key and stops at the limit: grouping would look at every key behind it too.
    """
    # Unary plus keeps the planner from walking by revision; the index by key then gives the order.
    # It is not named: a snapshot that was received brings one of another name.
    rows = connection.execute(
        f"SELECT resource, namespace, name, value, revision, created FROM {table} AS one"  # noqa: S608
        f" WHERE {where[0]} AND value IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {table} AS later"
        " WHERE later.resource = one.resource AND later.namespace = one.namespace"
        " AND later.name = one.name AND later.revision > one.revision AND later.revision <= ?)"
        " ORDER BY resource, namespace, name LIMIT ?",
        (*where[1], revision, limit),
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
