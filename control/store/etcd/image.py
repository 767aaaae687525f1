"""The memory of the etcd engine: all objects, the table of ids, the position.

It only takes what etcd has made (`fold`, `load`); what may be made is judged in `judging`. The
checksum is the sum over the rows, as in `state`: the head of each transaction carries it as its
leader had it, so a memory that differs is found at the next one. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.control.store.batches.checksums import check
from holdfast.control.store.commands import Change, Key, Row
from holdfast.control.store.retries import Retries
from holdfast.control.store.state import CHECKSUM_MASK


class Image:
    """Rows by resource. revision: of the newest change. floor: see Engine.compact."""

    def __init__(self) -> None:
        self.retries = Retries()
        self.revision = 0
        self.floor = 0
        self.checksum = 0
        self._tables: dict[str, dict[Key, Row]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def row(self, key: Key) -> Row | None:
        """The object at a key."""
        table = self._tables.get(key.resource)
        return table.get(key) if table else None

    def rows(self, resource: str) -> list[Row]:
        """The objects of a resource, ordered by namespace and name."""
        return sorted(self._tables.get(resource, {}).values())

    def all_rows(self) -> Iterator[Row]:
        """Every object, in no promised order."""
        for table in self._tables.values():
            yield from table.values()

    def load(self, rows: Iterable[Row]) -> None:
        """Add rows that are not there yet."""
        for row in rows:
            self._tables.setdefault(row.key.resource, {})[row.key] = row
            self._count(check(row))

    def fold(self, change: Change) -> None:
        """Take one change, newer than all before."""
        key = change.key
        old = self.row(key)
        if old:
            self._count(-check(old))
            if change.value is None:
                del self._tables[key.resource][key]
        if change.value is not None:
            self.load([Row(key, change.value, change.revision, change.created)])
        self.revision = change.revision

    def _count(self, checksum: int) -> None:
        self.checksum = (self.checksum + checksum) & CHECKSUM_MASK
