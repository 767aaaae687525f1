"""Conditions, readiness, owners, template hashes, events, numbers that may be percentages."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api import kinds, names
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.meta.v1 import meta_pb2 as meta
from holdfast.api.objects import (
    conditions,
    events,
    intorstring,
    owners,
    readiness,
    templates,
)


def test_a_condition_moves_its_time_only_with_its_status() -> None:
    status = core.PodStatus()
    assert conditions.set_condition(status.conditions, "Ready", "False", 10.7, "Starting")
    assert not conditions.set_condition(status.conditions, "Ready", "False", 20.0, "Starting")
    assert conditions.set_condition(status.conditions, "Ready", "False", 30.0, "Slow", "still")
    (found,) = status.conditions
    assert (found.reason, found.message, found.lastTransitionTime.seconds) == ("Slow", "still", 10)
    assert conditions.set_condition(status.conditions, "Ready", "True", 40.0)
    assert not found.HasField("reason")
    assert found.lastTransitionTime.seconds == 40
    assert conditions.is_true(status.conditions, "Ready")
    assert conditions.condition(status.conditions, "Initialized") is None


def test_a_deployment_condition_has_an_update_time() -> None:
    status = apps.DeploymentStatus()
    conditions.set_condition(status.conditions, "Progressing", "True", 10, "A")
    conditions.set_condition(status.conditions, "Progressing", "True", 20, "B")
    (found,) = status.conditions
    assert (found.lastUpdateTime.seconds, found.lastTransitionTime.seconds) == (20, 10)


def _pod(phase: str = "Running", ready_since: int | None = None) -> core.Pod:
    pod = core.Pod()
    pod.status.phase = phase
    if ready_since is not None:
        conditions.set_condition(pod.status.conditions, "Ready", "True", ready_since)
    return pod


def test_readiness() -> None:
    ready = _pod(ready_since=100)
    assert readiness.pod_ready(ready)
    assert not readiness.pod_ready(_pod())
    assert readiness.pod_available(ready, 0, 100.0)
    assert not readiness.pod_available(ready, 10, 109.9)
    assert readiness.pod_available(ready, 10, 110.0)
    assert not readiness.pod_available(_pod(), 0, 100.0)
    assert readiness.pod_active(ready)
    assert readiness.pod_finished(_pod("Failed"))
    assert not readiness.pod_active(_pod("Succeeded"))
    ready.metadata.deletionTimestamp.seconds = 5
    assert not readiness.pod_active(ready)
    assert not readiness.node_ready(core.Node())


def test_owners() -> None:
    kind = kinds.by_word("rs")
    owner = apps.ReplicaSet()
    owner.metadata.name, owner.metadata.uid = "web-1", "u1"
    pod = core.Pod()
    assert owners.controller_of(pod.metadata) is None
    pod.metadata.ownerReferences.add(uid="u0")
    pod.metadata.ownerReferences.append(owners.controller_reference(kind, owner))
    found = owners.controller_of(pod.metadata)
    assert found is not None
    assert (found.apiVersion, found.kind, found.name, found.uid) == (
        "apps/v1",
        "ReplicaSet",
        "web-1",
        "u1",
    )
    assert found.blockOwnerDeletion
    assert owners.is_controlled_by(pod.metadata, "u1")
    assert not owners.is_controlled_by(pod.metadata, "u0")


def _template(image: str = "i", **labels: str) -> core.PodTemplateSpec:
    template = core.PodTemplateSpec()
    template.spec.containers.add(name="c", image=image)
    for key, value in labels.items():
        template.metadata.labels[key] = value
    return template


def test_template_hash_depends_on_what_is_in_it_only() -> None:
    one = templates.hash(_template(a="1", b="2"))
    assert one == templates.hash(_template(b="2", a="1"))
    assert one != templates.hash(_template(a="1"))
    assert one != templates.hash(_template("j", a="1", b="2"))
    assert one != templates.hash(_template(a="1", b="2"), collision_count=1)
    assert len(one) == templates.LENGTH
    assert names.label("a-" + one) == names.label_value(one) == ""


def test_template_hash_is_the_same_in_every_process() -> None:
    program = (
        "from holdfast.api.core.v1 import core_pb2 as c; from holdfast.api.objects import templates"
        "\nt = c.PodTemplateSpec(); t.spec.containers.add(name='c', image='i')"
        "\nfor k in 'xyzabc': t.metadata.labels[k] = k"
        "\nprint(templates.hash(t))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    labels = {key: key for key in "abcxyz"}
    assert run.stdout.decode().strip() == templates.hash(_template(**labels))


def test_events() -> None:
    pod = core.Pod()
    pod.metadata.name, pod.metadata.namespace, pod.metadata.uid = "web-1", "shop", "u1"
    about = events.reference(kinds.by_word("pod"), pod, "spec.containers{web}")
    news = events.News(events.Severity.WARNING, "BackOff", "é" * 600)
    source = events.Source("kubelet", "n1")
    event = events.build(about, news, source, 1234.5, "abc")
    assert (event.metadata.name, event.metadata.namespace) == ("web-1.abc", "shop")
    assert event.involvedObject.kind == "Pod"
    assert not event.involvedObject.HasField("resourceVersion")
    assert (event.type, event.count, event.source.host) == ("Warning", 1, "n1")
    assert len(event.message.encode()) <= events.MESSAGE_BYTES_MAX
    again = events.build(about, news, source, 2000.0, "def")
    assert events.aggregation_key(event) == events.aggregation_key(again)
    events.repeat(event, 2000.9, 3)
    assert (event.count, event.firstTimestamp.seconds, event.lastTimestamp.seconds) == (
        4,
        1234,
        2000,
    )


def test_events_of_cluster_wide_things_live_in_default() -> None:
    node = core.Node()
    node.metadata.name = "n" * 253
    about = events.reference(kinds.by_word("node"), node)
    news = events.News(events.Severity.NORMAL, "NodeReady", "ready")
    event = events.build(about, news, events.Source("node-lifecycle"), 1.0, "abc")
    assert event.metadata.namespace == "default"
    assert names.subdomain(event.metadata.name) == ""


@pytest.mark.parametrize(
    ("written", "total", "up", "down"),
    [(3, 10, 3, 3), ("25%", 10, 3, 2), ("0%", 10, 0, 0), ("100%", 7, 7, 7), ("x", 10, 0, 0)],
)
def test_numbers_and_percentages(written: int | str, total: int, up: int, down: int) -> None:
    value = meta.IntOrString()
    if isinstance(written, int):
        intorstring.set_number(value, written)
    else:
        intorstring.set_text(value, written)
    assert intorstring.resolve(value, total, round_up=True) == up
    assert intorstring.resolve(value, total, round_up=False) == down
    assert intorstring.text(value) == str(written)


@given(st.integers(0, 100), st.integers(0, 10**6))
def test_a_share_and_its_rest_make_the_whole(percent: int, total: int) -> None:
    share, rest = meta.IntOrString(), meta.IntOrString()
    intorstring.set_text(share, f"{percent}%")
    intorstring.set_text(rest, f"{100 - percent}%")
    up = intorstring.resolve(share, total, round_up=True)
    assert up + intorstring.resolve(rest, total, round_up=False) == total
