"""What must not be written is refused with one clear sentence, and nothing changes (I10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.autoscaling.v1 import autoscaling_pb2 as autoscaling
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Reason
from holdfast.control.registry import Intent, Verb, bootstrap
from tests.control.registry.world import World, config_map, deployment, node, pod, service


def _create(message: Any, resource: str) -> Intent:
    return Intent(Verb.CREATE, resource, "", "", message)


def _update(message: Any, resource: str, subresource: str = "") -> Intent:
    meta = message.metadata
    return Intent(Verb.UPDATE, resource, meta.namespace, meta.name, message, subresource)


def _with(message: Any, change: Callable[[Any], object]) -> Any:
    change(message)
    return message


def _no_image(p: Any) -> None:
    p.spec.containers[0].image = ""


def _set(path: str, value: Any) -> Callable[[Any], None]:
    *parents, last = path.split(".")

    def change(message: Any) -> None:
        for parent in parents:
            message = getattr(message, parent)
        setattr(message, last, value)

    return change


def _quantity(text: str) -> Any:
    found = core.ResourceRequirements()
    found.limits["x"].string = text
    return found.limits.get("x")


BAD: list[tuple[str, Intent, Reason, str]] = [
    ("unknown resource", _create(config_map(), "widgets"), Reason.NOT_FOUND, '"widgets"'),
    ("internal resource", _create(config_map(), "~tokens"), Reason.NOT_FOUND, '"~tokens"'),
    (
        "kind not built",
        _create(_with(apps.StatefulSet(), _set("metadata.name", "s")), "statefulsets.apps"),
        Reason.NOT_BUILT,
        "StatefulSet",
    ),
    ("duplicate name", _create(config_map("here"), "configmaps"), Reason.ALREADY_EXISTS, "here"),
    (
        "unknown namespace",
        _create(_with(config_map(), _set("metadata.namespace", "nowhere")), "configmaps"),
        Reason.NOT_FOUND,
        'namespaces "nowhere" not found',
    ),
    (
        "no namespace",
        _create(_with(config_map(), _set("metadata.namespace", "")), "configmaps"),
        Reason.BAD_REQUEST,
        "a namespace is required",
    ),
    (
        "namespace of a cluster-wide kind",
        Intent(Verb.CREATE, "nodes", "default", "", node()),
        Reason.BAD_REQUEST,
        "not namespaced",
    ),
    (
        "two namespaces",
        Intent(Verb.CREATE, "configmaps", "kube-system", "", config_map()),
        Reason.BAD_REQUEST,
        "does not match the namespace of the request",
    ),
    (
        "two names",
        Intent(Verb.UPDATE, "configmaps", "default", "here", config_map("other")),
        Reason.BAD_REQUEST,
        "does not match the name of the request",
    ),
    ("no name", _create(config_map(""), "configmaps"), Reason.INVALID, "metadata.name"),
    ("bad name", _create(config_map("Bad_Name"), "configmaps"), Reason.INVALID, "metadata.name"),
    (
        "bad label",
        _create(
            _with(config_map(), lambda m: m.metadata.labels.update({"a b": "c"})), "configmaps"
        ),
        Reason.INVALID,
        "metadata.labels",
    ),
    (
        "missing field",
        _create(_with(pod("p"), _no_image), "pods"),
        Reason.INVALID,
        "spec.containers[0].image",
    ),
    (
        "bad quantity",
        _create(
            _with(
                pod("p"),
                lambda p: p.spec.containers[0].resources.limits["cpu"].CopyFrom(_quantity("12x")),
            ),
            "pods",
        ),
        Reason.INVALID,
        "spec.containers[0].resources.limits[cpu]",
    ),
    (
        "field not built",
        _create(_with(pod("p"), _set("spec.priorityClassName", "high")), "pods"),
        Reason.INVALID,
        "spec.priorityClassName",
    ),
    (
        "resourceVersion on create",
        _create(_with(config_map(), _set("metadata.resourceVersion", "5")), "configmaps"),
        Reason.BAD_REQUEST,
        "resourceVersion must not be set",
    ),
    (
        "resourceVersion that is none",
        _update(_with(config_map("here"), _set("metadata.resourceVersion", "new")), "configmaps"),
        Reason.BAD_REQUEST,
        'metadata.resourceVersion "new"',
    ),
    (
        "too large",
        _create(
            _with(pod("p"), lambda p: p.spec.containers[0].args.append("x" * 1_600_000)), "pods"
        ),
        Reason.TOO_LARGE,
        "1.5 MiB",
    ),
    ("nothing to update", _update(config_map("gone"), "configmaps"), Reason.NOT_FOUND, "gone"),
    (
        "immutable selector",
        _update(
            _with(deployment(), lambda d: d.spec.selector.matchLabels.update({"app": "b"})),
            "deployments.apps",
        ),
        Reason.INVALID,
        "spec.selector",
    ),
    (
        "immutable pod",
        _update(_with(pod("runs"), lambda p: p.spec.containers[0].command.append("sh")), "pods"),
        Reason.INVALID,
        "spec",
    ),
    (
        "no such subresource",
        _update(config_map("here"), "configmaps", "status"),
        Reason.NOT_FOUND,
        '"status"',
    ),
    (
        "a subresource that is no object",
        _update(pod("runs"), "pods", "log"),
        Reason.NOT_FOUND,
        '"log"',
    ),
    (
        "negative scale",
        Intent(
            Verb.UPDATE,
            "deployments.apps",
            "default",
            "web",
            autoscaling.Scale(spec=autoscaling.ScaleSpec(replicas=-1)),
            "scale",
        ),
        Reason.INVALID,
        "spec.replicas",
    ),
    ("nothing sent", Intent(Verb.CREATE, "pods", "default", "p"), Reason.BAD_REQUEST, "no Pod"),
    (
        "bad quantity of a node",
        _update(
            _with(node("n1"), lambda n: n.status.capacity["cpu"].CopyFrom(_quantity("lots"))),
            "nodes",
            "status",
        ),
        Reason.INVALID,
        "status.capacity[cpu]",
    ),
]


@pytest.mark.parametrize(
    ("intent", "reason", "text"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
async def test_it_is_refused(there: World, intent: Intent, reason: Reason, text: str) -> None:
    await there.create("configmaps", config_map("here"))
    await there.create("deployments.apps", deployment())
    await there.create("pods", pod("runs"))
    await there.create("nodes", node())
    before = there.engine.revision
    for options in ({}, {"dry_run": True}, {"request_id": b"i" * 16}):
        with pytest.raises(ApiError) as refused:
            await there.one(intent, **options)  # type: ignore[arg-type]
        assert refused.value.reason is reason, refused.value
        assert text in str(refused.value)
    assert there.engine.revision == before
    assert len(there.registry._reserved) == 0


async def test_bad_options(there: World) -> None:
    with pytest.raises(ApiError, match="16 random bytes"):
        await there.create("configmaps", config_map(), request_id=b"short")
    with pytest.raises(ApiError, match="field_manager"):
        await there.create("configmaps", config_map(), field_manager="m" * 129)


async def test_scale(there: World) -> None:
    await there.create("deployments.apps", deployment())
    scale = autoscaling.Scale(spec=autoscaling.ScaleSpec(replicas=9))
    intent = Intent(Verb.UPDATE, "deployments.apps", "default", "web", scale, "scale")
    entry = await there.one(intent)
    assert entry is not None
    assert (entry.message.spec.replicas, entry.message.metadata.generation) == (9, 2)
    scale.metadata.resourceVersion = str(entry.revision - 1)
    with pytest.raises(ApiError, match="modified"):
        await there.one(intent)


async def test_the_clusters_own_objects_are_made_once(there: World) -> None:
    before = there.engine.revision
    await bootstrap(there.registry)
    assert there.engine.revision == before
    assert there.get("services", "kubernetes").spec.clusterIP == "10.96.0.1"
    assert there.get("namespaces", "kube-system", "").status.phase == "Active"
    with pytest.raises(ApiError):
        await there.create("services", service("x", clusterIP="10.96.0.1"))
