"""The checksums of rows: of one, and of many new ones together, which must come to the same.

The state, the image and every member add them up; so flipped bytes show, and members that
disagree. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import add
from zlib import crc32

from holdfast.control.store.commands import Key, Row

PLACES_KEPT = 4_096
_REVISION, _CREATED = 0x9E3779B1, 0x85EBCA77  # odd, so that near revisions begin far apart


def check(row: Row) -> int:
    """A checksum of one row, 32 bits."""
    (resource, namespace, name), value, revision, created = row
    start = _place(resource, namespace) + revision * _REVISION + created * _CREATED
    return crc32(value, crc32(name.encode(), start))  # it takes the lowest 32 bits of a start


def created(keys: Sequence[Key], values: Sequence[bytes], revisions: range) -> int:
    """The sum of `check` over new rows. revisions: of each, as of its creation."""
    resources, namespaces, names = zip(*keys, strict=True)
    resource, namespace, count = resources[0], namespaces[0], len(keys)
    alone = resources.count(resource) == count == namespaces.count(namespace)
    places: Iterable[int] = map(_place, resources, namespaces)
    if alone:
        places = [_place(resource, namespace)] * count
    step = _REVISION + _CREATED
    starts = map(add, places, range(revisions.start * step, revisions.stop * step, step))
    return sum(map(crc32, values, map(crc32, map(str.encode, names), starts)))


@lru_cache(PLACES_KEPT)
def _place(resource: str, namespace: str) -> int:
    return crc32(f"{resource}\0{namespace}".encode())
