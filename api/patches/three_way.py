"""What client-side apply sends: the strategic patch from three versions of an object.

What the manifest changed since it was last applied goes (deletions from `original` to
`modified`); what it says now is set (changes from `current` to `modified`); what others set and
the manifest never named stays. Source: CreateThreeWayMergePatch of Kubernetes' strategic merge;
unlike it, nothing is said about what already is as wanted, so an empty patch means unchanged.

Pure module.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from holdfast.api.patches import order
from holdfast.api.patches.merge import same
from holdfast.api.patches.schema import (
    DELETE_ITEMS,
    PATCH,
    RETAIN_KEYS,
    SET_ORDER,
    Schema,
    below,
    refused,
    schema_of,
)
from holdfast.api.patches.strategic import merge_object

Tree = dict[str, Any]


def three_way(original: Tree, modified: Tree, current: Tree, message_type: type[Message]) -> Tree:
    """The strategic patch that makes `current` what the manifest says; {} when it is.

    original: the manifest as last applied ({} when never), modified: the manifest now.
    Raises ApiError BadRequest for a list element of `modified` without its merge key.
    """
    return _object(original, modified, current, schema_of(message_type), "")


def _object(original: Tree, modified: Tree, current: Tree, schema: Schema, path: str) -> Tree:
    patch: Tree = {}
    for key, value in modified.items():
        inner, where = schema.of(key), below(path, key)
        was, now = original.get(key), current.get(key)
        if value is None:
            if now is not None:
                patch[key] = None
        elif now is None:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(now, dict) and not inner.replaces:
            changes = _object(was if isinstance(was, dict) else {}, value, now, inner, where)
            if changes:
                patch[key] = changes
        elif isinstance(value, list) and isinstance(now, list) and inner.merges:
            before = was if isinstance(was, list) else []
            patch.update(_list(key, (before, value, now), inner, where))
        elif not same(value, now):
            patch[key] = value
    for key in original:
        if key not in modified and current.get(key) is not None:
            patch[key] = None
    if schema.retains:
        _retain(patch, modified, current)
    return patch


def _retain(patch: Tree, modified: Tree, current: Tree) -> None:
    """An object whose keys exclude each other keeps only those that the manifest names."""
    kept = sorted(key for key, value in modified.items() if value is not None)
    left = any(modified.get(key) is None for key, value in current.items() if value is not None)
    if kept and (patch or left):
        patch[RETAIN_KEYS] = kept


def _list(
    name: str, versions: tuple[list[Any], list[Any], list[Any]], schema: Schema, path: str
) -> Tree:
    """The fields of the patch about a list that merges; versions as in `three_way`."""
    _, modified, current = versions
    if not current:
        return {name: modified} if modified else {}
    if schema.key:
        _check_keys(modified, schema.key, path)
        if any(_has_twins(items, schema.key) for items in (modified, current)):
            return _replaced(name, versions, schema, path)
        changes = _changed_items(versions, schema, path)
        gone: Tree = {}
    else:
        changes = [item for item in modified if not _find(current, item, "")]
        left = _lost(versions, "")
        gone = {DELETE_ITEMS + name: left} if left else {}
    patch = ({name: changes} if changes else {}) | gone
    if modified and (patch or not _is_in_order(modified, current, schema.key)):
        names = [{schema.key: item[schema.key]} for item in modified] if schema.key else modified
        patch[SET_ORDER + name] = names
    return patch


def _changed_items(
    versions: tuple[list[Any], list[Any], list[Any]], schema: Schema, path: str
) -> list[Any]:
    original, modified, current = versions
    found: list[Any] = []
    for index, item in enumerate(modified):
        now = _find(current, item, schema.key)
        if not now:
            found.append(item)
            continue
        was = _find(original, item, schema.key)
        inner = Schema(message=schema.message, retains=schema.retains)
        changes = _object(was[0] if was else {}, item, now[0], inner, f"{path}[{index}]")
        if changes:
            found.append({**changes, schema.key: item[schema.key]})
    key = schema.key
    return found + [{PATCH: "delete", key: item[key]} for item in _lost(versions, key)]


def _lost(versions: tuple[list[Any], list[Any], list[Any]], key: str) -> list[Any]:
    """The elements that the manifest dropped since it was last applied, and that are there."""
    original, modified, current = versions
    return [
        item for item in original if not _find(modified, item, key) and _find(current, item, key)
    ]


def _replaced(
    name: str, versions: tuple[list[Any], list[Any], list[Any]], schema: Schema, path: str
) -> Tree:
    """A list in which two elements share their merge key is replaced, element by element.

    (A Service may have one port number twice, for TCP and for UDP.) Elements at the same place
    with the same key keep what others set in them.
    """
    original, modified, current = versions
    inner, items = Schema(message=schema.message, retains=schema.retains), []
    for index, item in enumerate(modified):
        now = current[index] if index < len(current) else None
        if now is None or not order.is_same_item(now, item, schema.key):
            items.append(item)
            continue
        was = original[index] if index < len(original) else None
        same_one = was is not None and order.is_same_item(was, item, schema.key)
        changes = _object(was if same_one and was else {}, item, now, inner, f"{path}[{index}]")
        items.append(merge_object(now, changes, inner, path) if changes else now)
    return {} if same(items, current) else {name: [{PATCH: "replace"}, *items]}


def _find(items: list[Any], item: Any, key: str) -> list[Any]:
    """The element of `items` that is the same one as `item`, in a list; [] when none is."""
    return next(([other] for other in items if order.is_same_item(other, item, key)), [])


def _is_in_order(modified: list[Any], current: list[Any], key: str) -> bool:
    """Whether the elements of `modified` stand in `current` in the same order."""
    rest = iter(current)
    return all(any(order.is_same_item(other, item, key) for other in rest) for item in modified)


def _has_twins(items: list[Any], key: str) -> bool:
    names = [repr(item.get(key)) for item in items if isinstance(item, dict)]
    return len(set(names)) < len(names)


def _check_keys(items: list[Any], key: str, path: str) -> None:
    for index, item in enumerate(items):
        if not isinstance(item, dict) or key not in item:
            raise refused(f"{path}[{index}]", f'an element of this list needs its "{key}"')
