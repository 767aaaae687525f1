"""JSON patch, RFC 6902: a list of operations, all of which succeed or none.

Pure module.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import jsonpatch

from holdfast.api.errors import ApiError, Reason

OPERATIONS_MAX = 1000  # of one patch; each costs some 30 µs
COPIED_MAX = 100_000  # values that "copy" operations may make, in all


def json_patch(tree: Any, patch: Any) -> Any:
    """The tree after all operations of `patch`.

    Raises ApiError BadRequest when the patch is none, Invalid when an operation fails: a path
    that is not there, a `test` that finds something else.
    """
    if not isinstance(patch, list):
        raise ApiError(Reason.BAD_REQUEST, "a JSON patch is an array of operations")
    if len(patch) > OPERATIONS_MAX:
        raise ApiError(Reason.TOO_LARGE, f"a JSON patch has at most {OPERATIONS_MAX} operations")
    # Operations work in place, also on values that earlier ones added.
    tree, copied = deepcopy(tree), 0
    for index, operation in enumerate(deepcopy(patch)):
        if not isinstance(operation, dict):
            raise _malformed(index, "is not an object")
        if operation.get("op") == "copy":
            copied += _size_of_source(tree, operation, index)
            if copied > COPIED_MAX:
                raise _failed(index, operation, f"copies make more than {COPIED_MAX} values")
        tree = _apply(tree, operation, index)
    return tree


def _apply(tree: Any, operation: dict[str, Any], index: int) -> Any:
    try:
        return jsonpatch.apply_patch(tree, [operation], in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise _failed(index, operation, "the value there is another") from None
    except jsonpatch.InvalidJsonPatch as error:
        raise _malformed(index, str(error)) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise _failed(index, operation, str(error)) from None


def _size_of_source(tree: Any, operation: dict[str, Any], index: int) -> int:
    source = operation.get("from")
    if not isinstance(source, str):
        raise _malformed(index, 'a copy needs "from"')
    try:
        return _size(jsonpatch.JsonPointer(source).resolve(tree))
    except (jsonpatch.JsonPointerException, TypeError) as error:
        raise _failed(index, operation, str(error)) from None


def _size(value: Any) -> int:
    """How many values a tree has."""
    count, todo = 0, [value]
    while todo:
        count += 1
        item = todo.pop()
        if isinstance(item, dict | list):
            todo += item.values() if isinstance(item, dict) else item
    return count


def _malformed(index: int, why: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, f"operation {index} of the JSON patch: {why}")


def _failed(index: int, operation: dict[str, Any], why: str) -> ApiError:
    what = f"{operation.get('op')} {operation.get('path')}"
    return ApiError(Reason.INVALID, f"operation {index} of the JSON patch ({what}) failed: {why}")
