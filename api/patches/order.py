"""The order of a merged list: what the patch wants, then what the object had.

Pure module.
"""

from __future__ import annotations

from typing import Any

from holdfast.api.patches.merge import same


def is_same_item(left: Any, right: Any, key: str) -> bool:
    """Whether two elements are the same one: equal in their merge key, or equal scalars."""
    if not key:
        return same(left, right)
    return (
        isinstance(left, dict)
        and isinstance(right, dict)
        and key in left
        and key in right
        and same(left[key], right[key])
    )


def ordered(items: list[Any], wanted: list[Any], before: list[Any], key: str) -> list[Any]:
    """`items` in order: those of `wanted` in its order, the others in that of `before`.

    The two are interleaved: one of the others goes before a wanted one when it stood before it.
    Source: normalizeElementOrder and mergeSortedSlice of Kubernetes' strategic merge.
    """
    place, was = _Places(wanted, key), _Places(before, key)
    mine = sorted((item for item in items if place.of(item) is not None), key=place.rank)
    others = sorted((item for item in items if place.of(item) is None), key=was.rank)
    result: list[Any] = []
    for item in mine:
        while others and _stood_before(was, others[0], item):
            result.append(others.pop(0))
        result.append(item)
    return result + others


def _stood_before(was: _Places, left: Any, right: Any) -> bool:
    one, other = was.of(left), was.of(right)
    return one is not None and other is not None and one < other


class _Places:
    """Where each element first stands in a list."""

    def __init__(self, items: list[Any], key: str) -> None:
        self._key = key
        self._places: dict[Any, int] = {}
        for index, item in enumerate(items):
            self._places.setdefault(self._name(item), index)

    def of(self, item: Any) -> int | None:
        """The element's index, None when the list does not have it."""
        return self._places.get(self._name(item))

    def rank(self, item: Any) -> int:
        """The element's index; one that the list does not have comes last."""
        found = self.of(item)
        return len(self._places) if found is None else found

    def _name(self, item: Any) -> tuple[str, str]:
        value = item.get(self._key) if self._key and isinstance(item, dict) else item
        return type(value).__name__, str(value)
