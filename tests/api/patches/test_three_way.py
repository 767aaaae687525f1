"""What client-side apply sends: the manifest wins where it speaks, others keep the rest."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.api.patches import strategic_patch, three_way
from holdfast.api.patches.merge import same

A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")
ORDER = "$setElementOrder/containers"

# What it shows, message type, original, modified, current, wanted patch.
CASES: list[tuple[str, type[Message], Any, Any, Any, Any]] = [
    ("nothing to say", core.PodSpec, {"nodeName": "x"}, {"nodeName": "x"},
     {"nodeName": "x", "hostname": "set by another"}, {}),
    ("a change", core.PodSpec, {"nodeName": "x"}, {"nodeName": "y"}, {"nodeName": "x"},
     {"nodeName": "y"}),
    ("a deletion", core.PodSpec, {"nodeName": "x", "hostname": "h"}, {"nodeName": "x"},
     {"nodeName": "x", "hostname": "changed"}, {"hostname": None}),
    ("a deletion of what is gone", core.PodSpec, {"hostname": "h"}, {}, {}, {}),
    ("another's change is taken back", core.PodSpec, {"nodeName": "x"}, {"nodeName": "x"},
     {"nodeName": "y"}, {"nodeName": "x"}),
    ("applied for the first time", core.PodSpec, {}, {"nodeName": "x"}, {"hostname": "h"},
     {"nodeName": "x"}),
    ("null deletes", core.PodSpec, {}, {"nodeName": None, "hostname": None}, {"nodeName": "x"},
     {"nodeName": None}),
    ("a map entry", core.Pod, {"metadata": {"labels": {"a": "1", "b": "2"}}},
     {"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": "1", "b": "2", "c": "3"}}},
     {"metadata": {"labels": {"b": None}}}),
    ("an element changes", core.PodSpec, {"containers": [A, B]},
     {"containers": [A, {"name": "b", "image": "b:2"}]},
     {"containers": [{**A, "tty": True}, {**B, "tty": True}]},
     {"containers": [{"name": "b", "image": "b:2"}], ORDER: [{"name": "a"}, {"name": "b"}]}),
    ("an element goes, another's stays", core.PodSpec, {"containers": [A, B]},
     {"containers": [A]}, {"containers": [A, B, C]},
     {"containers": [{"name": "b", "$patch": "delete"}], ORDER: [{"name": "a"}]}),
    ("an element comes", core.PodSpec, {"containers": [A]}, {"containers": [B, A]},
     {"containers": [A, C]},
     {"containers": [B], ORDER: [{"name": "b"}, {"name": "a"}]}),
    ("another's element changes nothing", core.PodSpec, {"containers": [A, B]},
     {"containers": [A, B]}, {"containers": [C, A, B]}, {}),
    ("the order changes", core.PodSpec, {"containers": [A, B]}, {"containers": [B, A]},
     {"containers": [A, B]}, {ORDER: [{"name": "b"}, {"name": "a"}]}),
    ("a list where none was", core.PodSpec, {}, {"containers": [A]}, {"containers": None},
     {"containers": [A]}),
    ("scalars", core.Pod, {"metadata": {"finalizers": ["a", "b"]}},
     {"metadata": {"finalizers": ["a", "c"]}}, {"metadata": {"finalizers": ["a", "b", "z"]}},
     {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["b"],
                   "$setElementOrder/finalizers": ["a", "c"]}}),
    ("keys that exclude each other", apps.DeploymentSpec,
     {"strategy": {"type": "RollingUpdate"}}, {"strategy": {"type": "Recreate"}},
     {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}},
     {"strategy": {"type": "Recreate", "$retainKeys": ["type"]}}),
    ("a volume of another sort", core.PodSpec, {"volumes": [{"name": "v", "emptyDir": {}}]},
     {"volumes": [{"name": "v", "configMap": {"name": "c"}}]},
     {"volumes": [{"name": "v", "emptyDir": {}}]},
     {"volumes": [{"name": "v", "configMap": {"name": "c"}, "emptyDir": None,
                   "$retainKeys": ["configMap", "name"]}],
      "$setElementOrder/volumes": [{"name": "v"}]}),
    ("one port twice, unchanged", core.ServiceSpec,
     {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
     {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
     {"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30001},
                {"port": 53, "protocol": "TCP", "nodePort": 30002}]}, {}),
    ("one port twice, changed", core.ServiceSpec,
     {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
     {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP", "name": "t"}]},
     {"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30001},
                {"port": 53, "protocol": "TCP", "nodePort": 30002}]},
     {"ports": [{"$patch": "replace"}, {"port": 53, "protocol": "UDP", "nodePort": 30001},
                {"port": 53, "protocol": "TCP", "nodePort": 30002, "name": "t"}]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message_type", "original", "modified", "current", "wanted"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_three_way(
    message_type: type[Message], original: Any, modified: Any, current: Any, wanted: Any
) -> None:
    before = deepcopy((original, modified, current))
    patch = three_way(original, modified, current, message_type)
    assert patch == wanted
    assert (original, modified, current) == before
    result = strategic_patch(current, patch, message_type)
    assert three_way(modified, modified, result, message_type) == {}


def test_an_element_without_its_key_is_refused() -> None:
    with pytest.raises(
        ApiError, match=r'containers\[1\]: an element of this list needs its "name"'
    ):
        three_way({}, {"containers": [A, {"image": "x"}]}, {"containers": [A]}, core.PodSpec)


NAMES = st.sampled_from("abcd")
TEXTS = st.sampled_from(["1", "2"])
MAPS = st.dictionaries(NAMES, TEXTS, max_size=3)


def _lists(**fields: Any) -> Any:
    items = st.fixed_dictionaries({"name": NAMES}, optional=fields)
    return st.lists(items, unique_by=lambda item: item["name"], max_size=3).filter(bool)


PODS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": MAPS,
                "finalizers": st.lists(NAMES, unique=True, min_size=1, max_size=3),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "nodeName": TEXTS,
                "nodeSelector": MAPS,
                "tolerations": st.lists(st.fixed_dictionaries({"key": TEXTS}), max_size=2),
                "volumes": _lists(emptyDir=st.just({}), hostPath=st.just({"path": "/"})),
                "containers": _lists(
                    image=TEXTS,
                    args=st.lists(TEXTS, max_size=2),
                    env=_lists(value=TEXTS),
                    resources=st.fixed_dictionaries({}, optional={"limits": MAPS}),
                ),
            },
        ),
    },
)


def says(tree: Any, wanted: Any) -> bool:
    """Whether `tree` holds all that `wanted` names."""
    if isinstance(wanted, dict) and isinstance(tree, dict):
        return all(key in tree and says(tree[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(tree, list):
        rest = iter(tree)
        return all(any(says(item, other) for item in rest) for other in wanted)
    return same(tree, wanted)


@given(PODS, PODS, PODS)
def test_after_apply_the_object_says_what_the_manifest_says(
    original: Any, modified: Any, current: Any
) -> None:
    patch = three_way(original, modified, current, core.Pod)
    result = strategic_patch(current, patch, core.Pod)
    assert says(result, modified)
    assert three_way(modified, modified, result, core.Pod) == {}


@given(PODS, PODS)
def test_applied_to_what_was_applied_gives_the_manifest(original: Any, modified: Any) -> None:
    patch = three_way(original, modified, original, core.Pod)
    assert _without_empties(strategic_patch(original, patch, core.Pod)) == (
        _without_empties(modified)
    )


def _without_empties(tree: Any) -> Any:
    if isinstance(tree, dict):
        found = {key: _without_empties(value) for key, value in tree.items()}
        return {key: value for key, value in found.items() if value not in ({}, [])}
    return [_without_empties(item) for item in tree] if isinstance(tree, list) else tree
