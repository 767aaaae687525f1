"""Many new objects at once: what `state` does write by write, done field by field.

Most large batches only make objects. Then no write can be refused, revisions follow each other,
and each step is one call for all of them. Whatever is not so plain is left to `state`. Pure module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple, cast

from holdfast.control.store.batches import checksums
from holdfast.control.store.batches.columns import Columns
from holdfast.control.store.commands import Change, Key, Outcome, Row, Write, new_tuple


class Created(NamedTuple):
    """New objects. checksum: the sum of `check` over their rows."""

    rows: dict[Key, Row]
    outcomes: list[Outcome]
    changes: tuple[Change, ...]
    checksum: int


def created(table: Mapping[Key, Row], writes: Sequence[Write], revision: int) -> Created | None:
    """What these writes make behind a revision. None: they are not all of the table's resource,
    or not all plain creations of different objects that are not in it."""
    columns = Columns.of(writes)
    keys, values = columns.keys, cast(Sequence[bytes], columns.values)
    if max(columns.expects) > 0 or None in values or not table.keys().isdisjoint(keys):
        return None
    count, resources = len(keys), [key[0] for key in keys]
    if resources.count(resources[0]) < count:
        return None
    end = revision + count
    revisions = range(revision + 1, end + 1)
    made = map(new_tuple, repeat(Row), zip(keys, values, revisions, revisions, strict=True))
    rows = dict(zip(keys, made, strict=True))
    if len(rows) < count:
        return None
    nothing, zeros, ends = [None] * count, [0] * count, [end] * count
    fields = zip(revisions, keys, values, nothing, revisions, zeros, ends, strict=True)
    changes = tuple(map(new_tuple, repeat(Change), fields))
    outcomes = list(map(new_tuple, repeat(Outcome), zip(revisions, nothing, zeros, strict=True)))
    checksum = checksums.created(keys, values, revisions)
    return Created(rows, outcomes, changes, checksum)
