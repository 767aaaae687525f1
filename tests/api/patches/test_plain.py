"""JSON patch and merge patch, and the difference between two trees."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.errors import ApiError, Reason
from holdfast.api.patches import diff, json_patch, merge_patch
from holdfast.api.patches.json_patch import OPERATIONS_MAX

TREE = {"a": {"b": [1, 2]}, "c/d": "x"}


@pytest.mark.parametrize(
    ("patch", "wanted"),
    [
        ([], TREE),
        ([{"op": "add", "path": "/a/b/-", "value": 3}], {"a": {"b": [1, 2, 3]}, "c/d": "x"}),
        ([{"op": "replace", "path": "/c~1d", "value": None}], {"a": {"b": [1, 2]}, "c/d": None}),
        ([{"op": "remove", "path": "/a"}], {"c/d": "x"}),
        ([{"op": "move", "from": "/a/b", "path": "/e"}], {"a": {}, "c/d": "x", "e": [1, 2]}),
        ([{"op": "copy", "from": "/a/b/0", "path": "/e"}], {**TREE, "e": 1}),
        ([{"op": "test", "path": "/a/b", "value": [1, 2]}], TREE),
    ],
)
def test_json_patch(patch: Any, wanted: Any) -> None:
    before = deepcopy(TREE)
    assert json_patch(TREE, patch) == wanted
    assert before == TREE


def test_json_patch_changes_no_value_it_was_given() -> None:
    patch = [
        {"op": "add", "path": "/n", "value": {"x": []}},
        {"op": "add", "path": "/n/x/-", "value": 1},
    ]
    before = deepcopy(patch)
    assert json_patch({}, patch) == {"n": {"x": [1]}}
    assert patch == before


def _doubling() -> list[dict[str, Any]]:
    return [{"op": "copy", "from": "", "path": f"/x{index}"} for index in range(60)]


@pytest.mark.parametrize(
    ("patch", "reason", "why"),
    [
        ({}, Reason.BAD_REQUEST, "array of operations"),
        (["x"], Reason.BAD_REQUEST, "operation 0"),
        ([{"op": "burn", "path": "/a"}], Reason.BAD_REQUEST, "operation 0"),
        ([{"op": "add", "path": "/a"}], Reason.BAD_REQUEST, "value"),
        ([{"path": "/a"}], Reason.BAD_REQUEST, "operation 0"),
        ([{"op": "copy", "path": "/a"}], Reason.BAD_REQUEST, "from"),
        ([{"op": "remove", "path": "/z"}], Reason.INVALID, "operation 0"),
        ([{"op": "copy", "from": "/z", "path": "/a"}], Reason.INVALID, "operation 0"),
        ([{"op": "add", "path": "/a/b/9", "value": 1}], Reason.INVALID, "operation 0"),
        ([{"op": "add", "path": "a", "value": 1}], Reason.INVALID, "operation 0"),
        ([{"op": "add", "path": "/c~1d/x", "value": 1}], Reason.INVALID, "operation 0"),
        ([{"op": "test", "path": "/c~1d", "value": "y"}], Reason.INVALID, "another"),
        ([{"op": "move", "from": "/a", "path": "/a/b/c"}], Reason.INVALID, "operation 0"),
        (_doubling(), Reason.INVALID, "copies make more than"),
        ([{}] * (OPERATIONS_MAX + 1), Reason.TOO_LARGE, "at most"),
    ],
    ids=lambda x: str(x)[:40],
)
def test_json_patches_that_fail(patch: Any, reason: Reason, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(TREE, patch)
    assert caught.value.reason is reason
    assert why in caught.value.message


# The examples of RFC 7386, appendix A.
RFC: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("tree", "patch", "wanted"), RFC)
def test_merge_patch(tree: Any, patch: Any, wanted: Any) -> None:
    before = deepcopy(tree)
    assert merge_patch(tree, patch) == wanted
    assert tree == before


LEAVES = st.booleans() | st.integers(0, 2) | st.text("ab", max_size=1)
TREES = st.dictionaries(
    st.sampled_from("pqr"),
    st.recursive(
        LEAVES | st.lists(LEAVES, max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        max_leaves=6,
    ),
)


@given(TREES, TREES)
def test_a_difference_applied_gives_the_new_tree(old: Any, new: Any) -> None:
    patch = diff(old, new)
    assert repr(sorted(merge_patch(old, patch).items())) == repr(sorted(new.items())) or (
        merge_patch(old, patch) == new
    )
    assert diff(new, new) == {}
    assert diff(merge_patch(old, patch), new) == {}


def test_a_difference_says_no_more_than_it_must() -> None:
    old = {"a": {"b": 1, "c": 2}, "d": [1], "e": 1, "n": None}
    new = {"a": {"b": 1, "c": 3}, "d": [1], "f": None}
    assert diff(old, new) == {"a": {"c": 3}, "e": None}
    assert diff({"a": 1}, {"a": True}) == {"a": True}
