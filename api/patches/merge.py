"""JSON merge patch, RFC 7386, and the smallest such patch between two trees.

Pure module.
"""

from __future__ import annotations

from typing import Any


def merge_patch(tree: Any, patch: Any) -> Any:
    """The tree with the fields of `patch` set; null removes a field, lists are replaced whole."""
    if not isinstance(patch, dict):
        return patch
    result = dict(tree) if isinstance(tree, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The smallest merge patch that makes `old` equal to `new`; {} when they are.

    A null in `new` reads as absent: no merge patch can set one.
    """
    patch: dict[str, Any] = {
        key: None for key, value in old.items() if value is not None and new.get(key) is None
    }
    for key, value in new.items():
        before = old.get(key)
        if value is None or same(before, value):
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            inner = diff(before, value)
            if inner:
                patch[key] = inner
        else:
            patch[key] = value
    return patch


def same(left: Any, right: Any) -> bool:
    """Whether two trees are equal as JSON, where true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
