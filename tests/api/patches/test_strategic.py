"""Strategic merge: every directive, merge keys from the schema, and what contradicts itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from google.protobuf.message import Message

from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.api.patches import strategic_patch

TWO = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]
X1, Y2 = {"name": "X", "value": "1"}, {"name": "Y", "value": "2"}
ORDER = "$setElementOrder/containers"

# What it shows, message type, tree, patch, wanted.
CASES: list[tuple[str, type[Message], Any, Any, Any]] = [
    ("a field is set", core.PodSpec, {"nodeName": "x"}, {"hostname": "y"},
     {"nodeName": "x", "hostname": "y"}),
    ("null removes", core.PodSpec, {"nodeName": "x", "hostname": "y"}, {"nodeName": None},
     {"hostname": "y"}),
    ("null of what is not there", core.PodSpec, {}, {"nodeName": None}, {}),
    ("objects merge", core.PodSpec, {"securityContext": {"runAsUser": 1, "runAsGroup": 2}},
     {"securityContext": {"runAsUser": 3}}, {"securityContext": {"runAsUser": 3, "runAsGroup": 2}}),
    ("maps merge", core.PodSpec, {"nodeSelector": {"a": "1", "b": "2"}},
     {"nodeSelector": {"a": None, "c": "3"}}, {"nodeSelector": {"b": "2", "c": "3"}}),
    ("nulls do not stay in what is new", core.PodSpec, {}, {"nodeSelector": {"a": None, "b": "1"}},
     {"nodeSelector": {"b": "1"}}),
    ("elements merge by key", core.PodSpec, {"containers": TWO},
     {"containers": [{"name": "b", "image": "b:2"}]},
     {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}),
    ("a new element comes first", core.PodSpec, {"containers": TWO},
     {"containers": [{"name": "c"}]}, {"containers": [{"name": "c"}, *TWO]}),
    ("a new list", core.PodSpec, {}, {"containers": TWO}, {"containers": TWO}),
    ("an element is deleted", core.PodSpec, {"containers": TWO},
     {"containers": [{"name": "a", "$patch": "delete"}]}, {"containers": [TWO[1]]}),
    ("deleting what is not there", core.PodSpec, {"containers": TWO},
     {"containers": [{"name": "z", "$patch": "delete"}]}, {"containers": TWO}),
    ("deleting from no list", core.PodSpec, {},
     {"containers": [{"name": "z", "$patch": "delete"}]}, {"containers": []}),
    ("a list is replaced", core.PodSpec, {"containers": TWO},
     {"containers": [{"$patch": "replace"}, {"name": "c", "image": "c:1"}]},
     {"containers": [{"name": "c", "image": "c:1"}]}),
    ("merge is what happens anyway", core.PodSpec, {"containers": TWO},
     {"containers": [{"$patch": "merge"}, {"name": "b", "image": "b:2", "$patch": "merge"}]},
     {"containers": [TWO[0], {"name": "b", "image": "b:2"}]}),
    ("nested lists merge", core.PodSpec,
     {"containers": [{"name": "a", "env": [X1, Y2], "args": ["1"]}]},
     {"containers": [{"name": "a", "env": [{"name": "Y", "value": "3"}], "args": ["2"]}]},
     {"containers": [{"name": "a", "env": [X1, {"name": "Y", "value": "3"}], "args": ["2"]}]}),
    ("a list without a key is replaced", core.PodSpec,
     {"tolerations": [{"key": "a"}, {"key": "b"}]}, {"tolerations": [{"key": "c"}]},
     {"tolerations": [{"key": "c"}]}),
    ("an integer key", core.Container, {"ports": [{"containerPort": 80, "name": "http"}]},
     {"ports": [{"containerPort": 80, "hostPort": 8080}]},
     {"ports": [{"containerPort": 80, "name": "http", "hostPort": 8080}]}),
    ("an object is replaced", core.PodSpec, {"securityContext": {"runAsUser": 1}},
     {"securityContext": {"$patch": "replace", "runAsGroup": 2}},
     {"securityContext": {"runAsGroup": 2}}),
    ("an object is emptied", core.PodSpec, {"securityContext": {"runAsUser": 1}, "nodeName": "x"},
     {"securityContext": {"$patch": "delete"}}, {"securityContext": {}, "nodeName": "x"}),
    ("an object that is not there is not made", core.PodSpec, {},
     {"securityContext": {"$patch": "delete"}}, {}),
    ("keys are retained", apps.DeploymentSpec,
     {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
     {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
     {"strategy": {"type": "Recreate"}}),
    ("keys of an element are retained", core.PodSpec,
     {"volumes": [{"name": "v", "emptyDir": {}}]},
     {"volumes": [{"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}]},
     {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}),
    ("scalars merge", core.Pod, {"metadata": {"finalizers": ["a", "b"]}},
     {"metadata": {"finalizers": ["c", "a"]}}, {"metadata": {"finalizers": ["c", "a", "b"]}}),
    ("scalars are deleted", core.Pod, {"metadata": {"finalizers": ["a", "b", "c"]}},
     {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b", "z"]}},
     {"metadata": {"finalizers": ["a", "c"]}}),
    ("scalars are deleted and added", core.Pod, {"metadata": {"finalizers": ["a", "b"]}},
     {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"],
                   "$setElementOrder/finalizers": ["b", "c"]}},
     {"metadata": {"finalizers": ["b", "c"]}}),
    ("order alone", core.PodSpec, {"containers": TWO}, {ORDER: [{"name": "b"}, {"name": "a"}]},
     {"containers": [TWO[1], TWO[0]]}),
    ("order with changes", core.PodSpec, {"containers": TWO},
     {ORDER: [{"name": "a"}, {"name": "c"}, {"name": "b"}], "containers": [{"name": "c"}]},
     {"containers": [TWO[0], {"name": "c"}, TWO[1]]}),
    ("the server's own elements keep their place", core.PodSpec,
     {"containers": [{"name": "sidecar"}, *TWO, {"name": "last"}]},
     {ORDER: [{"name": "b"}, {"name": "a"}], "containers": []},
     {"containers": [{"name": "sidecar"}, TWO[1], TWO[0], {"name": "last"}]}),
    ("order of no list", core.PodSpec, {}, {ORDER: [{"name": "a"}]}, {}),
    ("an element without the key stays", core.PodSpec, {"containers": [{"image": "x"}, TWO[0]]},
     {"containers": [{"name": "a", "image": "a:2"}]},
     {"containers": [{"image": "x"}, {"name": "a", "image": "a:2"}]}),
    ("what the schema lacks merges plainly", core.PodSpec, {"x": {"l": [1], "m": 1}},
     {"x": {"l": [2], "n": 2}}, {"x": {"l": [2], "m": 1, "n": 2}}),
    ("another type is put in its place", core.PodSpec, {"containers": {"a": 1}, "nodeName": []},
     {"containers": [{"name": "a"}], "nodeName": "x"},
     {"containers": [{"name": "a"}], "nodeName": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message_type", "tree", "patch", "wanted"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_merge(message_type: type[Message], tree: Any, patch: Any, wanted: Any) -> None:
    given = deepcopy((tree, patch))
    assert strategic_patch(tree, patch, message_type) == wanted
    assert (tree, patch) == given


BAD: list[tuple[Any, str]] = [
    ([], "is an object"),
    ({"$patch": "destroy"}, '"merge", "replace" or "delete"'),
    ({"containers": [{"name": "a", "$patch": "destroy"}]}, "containers[0]"),
    ({"containers": [{"image": "x"}]}, 'containers[0]: an element of this list needs its "name"'),
    ({"containers": [{"$patch": "delete"}]}, 'needs its "name"'),
    ({"containers": ["x"]}, "containers[0]: an element of this list is an object"),
    ({"securityContext": {"$retainKeys": "x"}}, "is an array of keys"),
    ({"securityContext": {"$retainKeys": ["a"], "b": 1}}, "securityContext.b"),
    ({ORDER: {}}, "expected an array"),
    ({ORDER: [{"image": "x"}]}, 'needs its "name"'),
    ({"$setElementOrder/tolerations": []}, "no list that merges"),
    ({ORDER: [{"name": "a"}], "containers": [{"name": "b"}]}, "does not name"),
    (
        {
            ORDER: [{"name": "a"}, {"name": "b"}],
            "containers": [{"name": "b"}, {"name": "a"}],
        },
        "in their order",
    ),
    ({"$deleteFromPrimitiveList/x": 1}, "expected an array"),
]


@pytest.mark.parametrize(("patch", "why"), BAD, ids=lambda x: str(x)[:40])
def test_patches_that_contradict_the_schema(patch: Any, why: str) -> None:
    tree = {"containers": TWO, "securityContext": {"runAsUser": 1}}
    with pytest.raises(ApiError) as caught:
        strategic_patch(tree, patch, core.PodSpec)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert why in caught.value.message
