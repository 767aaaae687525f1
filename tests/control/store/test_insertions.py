"""How rows are cut into statements, and that they come back as they were."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from holdfast.control.store import image
from holdfast.control.store.batches import insertions
from holdfast.control.store.behind import Meta
from holdfast.control.store.commands import Change, Key


def test_portions_cover_all_rows_and_have_few_sizes() -> None:
    sizes = set()
    for count in range(3_000):
        cuts = list(insertions.portions(count))
        assert [at for start, end in cuts for at in range(start, end)] == list(range(count))
        sizes |= {end - start for start, end in cuts}
    assert max(sizes) == insertions.ROWS_MAX
    assert len(sizes) == 68  # 1 … 63, and 64, 128 … 1,024


def test_few_rows_are_one_statement() -> None:
    counts = range(1, insertions.ROWS_EXACT)
    assert all(len(list(insertions.portions(count))) == 1 for count in counts)
    assert insertions.insertion("t", 2, 2) == "INSERT INTO t VALUES (?, ?), (?, ?)"


def new(revision: int, namespace: str = "x") -> Change:
    """A new object of a commit that ends at revision 200."""
    key = Key("pods", namespace, f"pod-{revision}")
    return Change(revision, key, b"%d" % revision, None, revision, 0, 200)


REPLACED = new(130)._replace(key=new(7).key, previous=b"7", created=7, replaced=7)
DELETED = new(131)._replace(key=new(7).key, value=None, previous=b"130", created=7, replaced=130)
RESTORED = new(140)._replace(created=3)
MANY = [new(revision) for revision in range(1, 101)]


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [new(1)],
        MANY,
        [*MANY, new(110, "y"), new(111)],
        [*MANY, REPLACED, DELETED],
        [*MANY, RESTORED],
        [RESTORED],
    ],
)
def test_changes_come_back(changes: list[Change]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        image.create(connection, Meta("c", 1))
        insertions.insert_changes(connection, changes)
        assert image.history(connection, 0, 1_000) == changes
