"""All objects at once: what a received snapshot makes of the tables.

Built beside the old tables, slice by slice, while these go on answering; nothing changes them
meanwhile, because no commit is applied between a snapshot's arrival and its installation. Objects
that stayed the same keep their entries, so nothing is decoded twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from holdfast.control.cache.entries import Entry, EventType, Update
from holdfast.control.cache.tables import Table
from holdfast.control.store.commands import Row

SLICE_S = 0.004
"""Others run after this long."""

Decode = Callable[[str, bytes], Any]


class Replacement:
    """The new tables, and by resource what differs from the old ones."""

    def __init__(self, old: Mapping[str, Table], decode: Decode) -> None:
        self.tables: dict[str, Table] = {resource: Table(resource) for resource in old}
        self.updates: dict[str, list[Update]] = {}
        self._old = old
        self._decode = decode

    async def build(self, rows: Iterable[Row], revision: int) -> None:
        """Take all rows. revision: of the deletions, the old state's."""
        now = asyncio.get_running_loop().time
        slice_end = now() + SLICE_S
        for row in rows:
            self._put(row)
            if now() > slice_end:
                await asyncio.sleep(0)
                slice_end = now() + SLICE_S
        for resource, table in self._old.items():
            new = self.tables[resource]
            for entry in table.entries(""):
                if new.get(entry.key.namespace, entry.key.name) is None:
                    self._note(resource, Update(EventType.DELETED, entry, None, revision))
                if now() > slice_end:
                    await asyncio.sleep(0)
                    slice_end = now() + SLICE_S

    def _put(self, row: Row) -> None:
        resource, namespace, name = row.key
        table = self.tables.get(resource)
        if table is None:
            table = self.tables[resource] = Table(resource)
        before = self._old.get(resource)
        old = before.get(namespace, name) if before else None
        if old is not None and old.revision == row.revision:
            table.put(old)
            return
        message = self._decode(resource, row.value)
        entry = Entry(row.key, row.revision, row.created, message, row.value)
        table.put(entry)
        type_ = EventType.MODIFIED if old else EventType.ADDED
        self._note(resource, Update(type_, old, entry, row.revision))

    def _note(self, resource: str, update: Update) -> None:
        self.updates.setdefault(resource, []).append(update)
