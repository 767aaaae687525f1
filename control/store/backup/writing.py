"""The store of a new cluster, made from the objects of another one.

One member, a new cluster id, and a revision GAP above the old one with the history floor raised to
it: an old resume point or page gets "too old", never events of another history. Objects keep their
own revisions and creation revisions, so what a client read before still tells whether an object
changed since. The group's log begins behind the entry that stands for all of it (see `Founding`):
a member that joins later is sent a snapshot, because no log entry holds these objects. The table
of commit ids begins empty.

Everything happens in one file that nobody uses yet; the caller keeps its directory apart until
this returns, and throws it away when it raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from holdfast.control.store import directory, image
from holdfast.control.store.batches import insertions
from holdfast.control.store.batches.checksums import check
from holdfast.control.store.commands import Change, Row
from holdfast.control.store.replicated.opening import Founding
from holdfast.control.store.state import CHECKSUM_MASK

GAP = 1 << 32
"""Revisions between the old cluster's and the new one's: more than a lost end of it ever had."""


def make_store(
    path: Path, founding: Founding, revision: int, slices: Iterable[Sequence[Row]]
) -> tuple[int, int]:
    """Make the store in an existing directory: how many objects, and its revision.

    revision: of the old cluster, not below that of any row; no key twice. Blocking. Raises
    StoreError, and passes on what `slices` raises.
    """
    count = 0

    def create(connection: sqlite3.Connection) -> None:
        nonlocal count
        founding.create(connection)
        count = _fill(connection, revision, slices)

    directory.make(path, create)
    return count, revision + GAP


def _fill(connection: sqlite3.Connection, revision: int, slices: Iterable[Sequence[Row]]) -> int:
    """Put the rows into a store that was just founded. Inside a transaction."""
    count = checksum = 0
    for rows in _numbered(slices, revision):
        count += len(rows)
        checksum = (checksum + sum(map(check, rows))) & CHECKSUM_MASK
        insertions.insert_changes(connection, list(map(_change, rows)))
    found = image.load_meta(connection)
    assert found is not None, "it was just founded"
    new = revision + GAP
    image.save_meta(connection, found[0]._replace(revision=new, floor=new, checksum=checksum))
    image.sweep(connection, new, new)  # there is nothing below the floor to be dropped
    return count


def _change(row: Row) -> Change:
    return Change(row.revision, row.key, row.value, None, row.created, 0, row.revision)


def _numbered(slices: Iterable[Sequence[Row]], revision: int) -> Iterator[list[Row]]:
    """Rows with a revision of each one's own: an engine may give the rows of one commit the same
    (etcd does). The first keeps it, later ones get unused ones above the old cluster's last."""
    used: set[int] = set()
    fresh = revision
    for rows in slices:
        numbered = []
        for row in rows:
            if row.revision in used:
                fresh += 1
                row = row._replace(revision=fresh)
            used.add(row.revision)
            numbered.append(row)
        yield numbered
