"""Strategic merge patch: a merge that knows which lists merge, and by which key.

Source: Kubernetes' strategic merge (apimachinery's pkg/util/strategicpatch and its design
documents). The directives: $patch, $retainKeys, $setElementOrder/…, $deleteFromPrimitiveList/….

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

Tree = dict[str, Any]


def strategic_patch(tree: Tree, patch: Any, message_type: type[Message]) -> Tree:
    """The tree with `patch` merged into it by the rules of the message type.

    Raises ApiError BadRequest, naming the place, for a patch that contradicts those rules.
    """
    if not isinstance(patch, dict):
        raise refused("", "a strategic merge patch is an object")
    return merge_object(tree, patch, schema_of(message_type), "")


def merge_object(tree: Tree, patch: Tree, schema: Schema, path: str) -> Tree:
    """One object merged; schema is that of its fields, path where it stands."""
    match patch.get(PATCH, "merge"):
        case "delete":
            return {}
        case "replace":
            return {key: plain(value) for key, value in patch.items() if not _is_directive(key)}
        case "merge":
            pass
        case other:
            raise refused(path, f'{PATCH} is "merge", "replace" or "delete", not {other!r}')
    result = _retained(tree, patch, path)
    for key, value in patch.items():
        if key.startswith(DELETE_ITEMS):
            _delete_items(result, key.removeprefix(DELETE_ITEMS), value, path)
    for key, value in patch.items():
        if not _is_directive(key):
            _merge_field(result, key, value, (schema.of(key), below(path, key)))
    for key, value in patch.items():
        if key.startswith(SET_ORDER):
            name = key.removeprefix(SET_ORDER)
            _set_order(tree, result, (name, value, patch.get(name)), schema.of(name), path)
    return result


def _merge_field(result: Tree, key: str, value: Any, at: tuple[Schema, str]) -> None:
    """Set one field of `result` as the patch says; at: its schema and path."""
    schema, path = at
    before = result.get(key)
    if isinstance(value, dict) and isinstance(before, dict) and not schema.replaces:
        result[key] = merge_object(before, value, schema, path)
    elif value is None or _is_dropped(value):
        result.pop(key, None)
    elif isinstance(value, list) and schema.merges:
        result[key] = _merge_list(before if isinstance(before, list) else [], value, schema, path)
    else:
        result[key] = plain(value)


def _merge_list(before: list[Any], patch: list[Any], schema: Schema, path: str) -> list[Any]:
    if not schema.key:
        merged = _distinct([*before, *patch])
        return order.ordered(merged, patch, before, "")
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        return [plain(item) for item in patch if not _is_directed(item)]
    merged, added = list(before), []
    for index, item in enumerate(patch):
        where = f"{path}[{index}]"
        if not isinstance(item, dict):
            raise refused(where, "an element of this list is an object")
        directive = item.get(PATCH, "merge")
        if item == {PATCH: "merge"}:
            continue
        if schema.key not in item:
            raise refused(where, f'an element of this list needs its "{schema.key}"')
        if directive == "delete":
            merged = [old for old in merged if not order.is_same_item(old, item, schema.key)]
        elif directive == "merge":
            merged = _merge_item(merged, item, schema, where)
            added.append(item)
        else:
            raise refused(where, f'{PATCH} is "merge", "replace" or "delete", not {directive!r}')
    return order.ordered(merged, added, before, schema.key)


def _merge_item(items: list[Any], item: Tree, schema: Schema, path: str) -> list[Any]:
    """The list with `item` merged into the element of the same key, or at its end."""
    for index, old in enumerate(items):
        if order.is_same_item(old, item, schema.key):
            merged = merge_object(old, item, Schema(message=schema.message), path)
            return [*items[:index], merged, *items[index + 1 :]]
    return [*items, plain(item)]


def _retained(tree: Tree, patch: Tree, path: str) -> Tree:
    """A copy of the object, without what $retainKeys does not name."""
    if RETAIN_KEYS not in patch:
        return dict(tree)
    keys = patch[RETAIN_KEYS]
    if not isinstance(keys, list):
        raise refused(path, f"{RETAIN_KEYS} is an array of keys")
    for key, value in patch.items():
        if value is not None and not _is_directive(key) and key not in keys:
            raise refused(below(path, key), f"it is set, but {RETAIN_KEYS} does not name it")
    return {key: value for key, value in tree.items() if key in keys}


def _delete_items(result: Tree, name: str, items: Any, path: str) -> None:
    if not isinstance(items, list):
        raise refused(below(path, DELETE_ITEMS + name), "expected an array")
    before = result.get(name)
    if isinstance(before, list):
        result[name] = [old for old in before if not any(same(old, item) for item in items)]


def _set_order(
    tree: Tree, result: Tree, wanted: tuple[str, Any, Any], schema: Schema, path: str
) -> None:
    """Put the list in the wanted order: its name, the order, and what the patch says of it."""
    name, items, patched = wanted
    where = below(path, SET_ORDER + name)
    if not isinstance(items, list):
        raise refused(where, "expected an array")
    if not schema.merges:
        raise refused(where, f"{name} is no list that merges, so it has no order to set")
    if schema.key and not all(isinstance(item, dict) and schema.key in item for item in items):
        raise refused(where, f'each element needs its "{schema.key}"')
    if isinstance(patched, list):
        _check_order(patched, items, schema.key, where)
    if isinstance(result.get(name), list):
        before = tree.get(name)
        base = before if isinstance(before, list) else []
        result[name] = order.ordered(result[name], items, base, schema.key)


def _check_order(patched: list[Any], items: list[Any], key: str, path: str) -> None:
    """The patch's own elements must stand in the order it asks for."""
    rest = iter(items)
    for item in patched:
        if not _is_directed(item) and not any(
            order.is_same_item(other, item, key) for other in rest
        ):
            raise refused(path, "it does not name the patch's elements in their order")


def plain(value: Any) -> Any:
    """A value of a patch as it is stored where nothing was: without nulls and directives."""
    if isinstance(value, dict):
        return {
            key: plain(item)
            for key, item in value.items()
            if item is not None and not _is_directive(key) and not _is_dropped(item)
        }
    if isinstance(value, list):
        return [plain(item) for item in value if not _is_dropped(item)]
    return value


def _is_dropped(value: Any) -> bool:
    """Whether a value only says what to remove."""
    return _is_directed(value) and (value[PATCH] == "delete" or len(value) == 1)


def _is_directed(value: Any) -> bool:
    return isinstance(value, dict) and PATCH in value


def _is_directive(key: str) -> bool:
    return key in (PATCH, RETAIN_KEYS) or key.startswith((SET_ORDER, DELETE_ITEMS))


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not any(same(item, old) for old in found):
            found.append(item)
    return found
