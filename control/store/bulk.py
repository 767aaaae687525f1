"""Many new objects at once: what `state` does write by write, done field by field.

Most large batches only make objects. Then no write can be refused, revisions follow each other,
and each step is one call for all of them. Whatever is not so plain is left to `state`. Also here,
because it must be the same both ways: the checksum of rows. Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import add
from typing import Any, NamedTuple, cast
from zlib import crc32

from holdfast.control.store.columns import Columns
from holdfast.control.store.commands import Change, Key, Outcome, Row, Write

PLACES_KEPT = 4_096
_REVISION, _CREATED = 0x9E3779B1, 0x85EBCA77  # odd, so that no two near each other are the same
_new: Any = tuple.__new__  # of a NamedTuple: half the time of calling it


class Created(NamedTuple):
    """New objects. checksum: the sum of `check` over their rows."""

    rows: dict[Key, Row]
    outcomes: list[Outcome]
    changes: tuple[Change, ...]
    checksum: int


def check(row: Row) -> int:
    """A checksum of one row, 32 bits: detects flipped bytes and members that disagree."""
    (resource, namespace, name), value, revision, created = row
    start = _place(resource, namespace) + revision * _REVISION + created * _CREATED
    return crc32(value, crc32(name.encode(), start))  # it takes the lowest 32 bits of a start


@lru_cache(PLACES_KEPT)
def _place(resource: str, namespace: str) -> int:
    return crc32(f"{resource}\0{namespace}".encode())


def created(table: Mapping[Key, Row], writes: Sequence[Write], revision: int) -> Created | None:
    """What these writes make behind a revision. None: they are not all of the table's resource,
    or not all plain creations of different objects that are not in it."""
    columns = Columns.of(writes)
    keys, values = columns.keys, cast(Sequence[bytes], columns.values)
    if max(columns.expects) > 0 or None in values or not table.keys().isdisjoint(keys):
        return None
    resources, namespaces, names = zip(*keys, strict=True)
    count = len(keys)
    if resources.count(resources[0]) < count:
        return None
    end = revision + count
    revisions = range(revision + 1, end + 1)
    made = map(_new, repeat(Row), zip(keys, values, revisions, revisions, strict=True))
    rows = dict(zip(keys, made, strict=True))
    if len(rows) < count:
        return None
    nothing, zeros, ends = [None] * count, [0] * count, [end] * count
    fields = zip(revisions, keys, values, nothing, revisions, zeros, ends, strict=True)
    changes = tuple(map(_new, repeat(Change), fields))
    outcomes = list(map(_new, repeat(Outcome), zip(revisions, nothing, zeros, strict=True)))
    alone = namespaces.count(namespaces[0]) == count
    places = [_place(*keys[0][:2])] * count if alone else map(_place, resources, namespaces)
    step = _REVISION + _CREATED
    starts = map(add, places, range((revision + 1) * step, (end + 1) * step, step))
    checksum = sum(map(crc32, values, map(crc32, map(str.encode, names), starts)))
    return Created(rows, outcomes, changes, checksum)
