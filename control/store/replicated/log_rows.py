"""The replicated log in SQLite: its entries, and the hard state beside them.

The first row of `log` is the anchor: the newest entry that is no longer needed, kept for its term
and its checksum, to which the next one is chained. `save` writes what one transaction holds, in
this order: the tail that new entries replace goes, entries, hard state, the rows of what was
applied, then entries below the new anchor go. Functions take a connection and run in its thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from holdfast.control.raft.messages import Entry, EntryType, HardState
from holdfast.control.store import image
from holdfast.control.store.batches import insertions
from holdfast.control.store.behind import Behind
from holdfast.control.store.replicated.tail import Linked


@dataclass(frozen=True, slots=True)
class Saving:
    """One transaction. entries: consecutive, in place of all rows from the first one's index on.

    hard_state, behind: None = unchanged. anchor: rows below it go, None = there are none; at most
    the applied index that is durable with this transaction.
    """

    entries: Sequence[Linked]
    hard_state: HardState | None
    behind: Behind | None
    anchor: int | None


def save(connection: sqlite3.Connection, saving: Saving) -> None:
    """Write it. Inside a transaction."""
    if saving.entries:
        connection.execute("DELETE FROM log WHERE position >= ?", (saving.entries[0].entry.index,))
        insert(connection, saving.entries)
    if saving.hard_state:
        save_hard_state(connection, saving.hard_state)
    if saving.behind:
        image.save_behind(connection, saving.behind)
    if saving.anchor is not None:
        connection.execute("DELETE FROM log WHERE position < ?", (saving.anchor,))


def insert(connection: sqlite3.Connection, entries: Sequence[Linked]) -> None:
    """Add rows to the log; the first one of a log is its anchor."""
    for start, end in insertions.portions(len(entries)):
        values: list[object] = []
        for (index, term, kind, data), crc in entries[start:end]:
            values += (index, term, int(kind), crc, data)
        connection.execute(insertions.insertion("log", 5, end - start), values)


def load(connection: sqlite3.Connection) -> list[Linked]:
    """All rows, the anchor first. Raises ValueError for an unknown type of entry."""
    rows = connection.execute("SELECT position, term, kind, crc, data FROM log ORDER BY position")
    return [
        Linked(Entry(position, term, EntryType(kind), data), crc)
        for position, term, kind, crc, data in rows
    ]


def save_hard_state(connection: sqlite3.Connection, state: HardState) -> None:
    """Replace the hard state."""
    connection.execute(
        "INSERT OR REPLACE INTO hard_state VALUES (1, ?, ?, ?, ?)", (*state, _crc(state))
    )


def load_hard_state(connection: sqlite3.Connection) -> HardState | None:
    """The hard state; None when it is missing or its checksum is wrong."""
    row = connection.execute("SELECT term, vote, committed, crc FROM hard_state").fetchone()
    if row is None:
        return None
    state = HardState(*row[:3])
    return state if _crc(state) == row[3] else None


def _crc(state: HardState) -> int:
    return crc32(repr(tuple(state)).encode())
