"""All objects as they were at one revision, read in slices while writes go on.

Pages of history rather than a database transaction held open: any engine can serve them, the
write-ahead log is not kept from starting over, and a client that reads slowly holds nothing back.
History is kept for minutes (`history.KEPT_S`), and what took longer ends as ExpiredError: never
as a mixture of two revisions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from holdfast.control.store.commands import Key, Row
from holdfast.control.store.engine import Engine

SLICE_BYTES = 256 << 10
"""What one page is meant to hold: two milliseconds of encoding."""
SLICE_ROWS_FIRST = 16
SLICE_ROWS_MAX = 1_000


async def slices(
    engine: Engine, revision: int, resources: Iterable[str]
) -> AsyncGenerator[tuple[str, list[Row]], None]:
    """Every object of these resources at a revision the engine has reached: the resource and the
    next of its rows, ordered by key. At most SLICE_ROWS_MAX at once, and about SLICE_BYTES.

    Raises ExpiredError when the revision falls below the history floor before the end.
    """
    limit = SLICE_ROWS_FIRST
    for resource in resources:
        after: Key | None = None
        while True:
            rows = await engine.page(resource, "", revision, after, limit)
            if rows:
                yield resource, rows
            if len(rows) < limit:
                break
            after = rows[-1].key
            limit = next_limit(rows)


def next_limit(rows: list[Row]) -> int:
    """How many rows like these make a slice."""
    total = sum(len(row.value) for row in rows)
    return max(1, min(SLICE_ROWS_MAX, SLICE_BYTES * len(rows) // max(total, 1)))
