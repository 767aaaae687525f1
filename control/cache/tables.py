"""The objects of one resource: by name, in order, and by index.

Order is kept per namespace in a plain sorted list, behind which new names wait unsorted until
somebody asks for the order: a burst of creates costs an append each, and one merge (~1 ms at 50,000
names) for whoever lists next. Pure module.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from holdfast.control.cache.entries import Entry
from holdfast.control.cache.indexes import indexes_of
from holdfast.control.store.commands import Key

MERGED_AT_ONCE = 16
"""With more new names than this they are sorted in, with fewer each is put into its place."""


class _Names:
    """The names of one namespace, in order when they are asked for."""

    __slots__ = ("_new", "_sorted")

    def __init__(self) -> None:
        self._sorted: list[str] = []
        self._new: list[str] = []

    def add(self, name: str) -> None:
        """A name that is not there yet."""
        self._new.append(name)

    def remove(self, name: str) -> None:
        """A name that is there."""
        names = self.ordered()
        del names[bisect_left(names, name)]

    def ordered(self) -> list[str]:
        """All of them, sorted. The list is ours: it changes with the next name."""
        new = self._new
        if len(new) > MERGED_AT_ONCE:
            self._sorted += new
            self._sorted.sort()
        else:
            for name in new:
                insort(self._sorted, name)
        new.clear()
        return self._sorted


class Table:
    """Entries of one resource. Only `Cache` changes it."""

    def __init__(self, resource: str) -> None:
        self._spaces: dict[str, dict[str, Entry]] = {}
        self._names: dict[str, _Names] = {}  # as many as in _spaces
        self._order: list[str] = []  # the namespaces, sorted
        self._indexes = indexes_of(resource)
        self._found: list[dict[str, dict[Key, Entry]]] = [{} for _ in self._indexes]

    def get(self, namespace: str, name: str) -> Entry | None:
        """One entry."""
        space = self._spaces.get(namespace)
        return space.get(name) if space else None

    def count(self, namespace: str) -> int:
        """The entries of a namespace, "" = all."""
        if namespace:
            return len(self._spaces.get(namespace, ()))
        return sum(map(len, self._spaces.values()))

    def entries(self, namespace: str, after: Key | None = None) -> Iterator[Entry]:
        """In order, of a namespace or ("") all; only those after a key."""
        if namespace:
            yield from self._of(namespace, after)
            return
        start = bisect_left(self._order, after.namespace) if after else 0
        for space in self._order[start:]:
            yield from self._of(space, after)

    def _of(self, namespace: str, after: Key | None) -> Iterator[Entry]:
        found = self._names.get(namespace)
        names = found.ordered() if found is not None else []
        if after and after.namespace == namespace:
            names = names[bisect_right(names, after.name) :]
        elif after and after.namespace > namespace:
            return iter(())
        return map(self._spaces.get(namespace, {}).__getitem__, names)

    def by_index(self, index: str, value: str) -> list[Entry]:
        """The entries with this value, in the order they got it. Raises KeyError when the
        resource has no such index."""
        for (name, _), found in zip(self._indexes, self._found, strict=True):
            if name == index:
                return list(found.get(value, {}).values())
        raise KeyError(index)

    def put(self, entry: Entry) -> Entry | None:
        """Add or replace; the entry that was there."""
        _, namespace, name = entry.key
        space = self._spaces.get(namespace)
        if space is None:
            space = self._spaces[namespace] = {}
            self._names[namespace] = _Names()
            insort(self._order, namespace)
        old = space.get(name)
        space[name] = entry
        if old is None:
            self._names[namespace].add(name)
        if entry.message is not None:
            entry.indexed = tuple([index(entry.message) for _, index in self._indexes])
        self._index(old, entry)
        return old

    def remove(self, key: Key) -> Entry | None:
        """Take one out; the entry that was there."""
        _, namespace, name = key
        space = self._spaces.get(namespace)
        old = space.pop(name, None) if space is not None else None
        if space is None or old is None:
            return None
        self._names[namespace].remove(name)
        if not space:
            del self._spaces[namespace], self._names[namespace]
            del self._order[bisect_left(self._order, namespace)]
        for found, value in zip(self._found, old.indexed, strict=False):
            _leave(found, value, key)
        return old

    def _index(self, old: Entry | None, new: Entry) -> None:
        before = old.indexed if old else ()
        for at, value in enumerate(new.indexed):
            found = self._found[at]
            if before and before[at] != value:
                _leave(found, before[at], new.key)
            if value:
                found.setdefault(value, {})[new.key] = new


def _leave(found: dict[str, dict[Key, Entry]], value: str, key: Key) -> None:
    bucket = found.get(value)
    if bucket is None:
        return
    bucket.pop(key, None)
    if not bucket:
        del found[value]
