"""get, describe, events, wait, explain, api-resources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import objects
from tests.cli.running import Cluster


@pytest.fixture(scope="module")
def configs(here: Cluster) -> Cluster:
    """The ConfigMaps a and b; b is labelled."""
    here.run("apply", "-f", "-", stdin=objects.config("a") + "---\n" + objects.config("b"))
    here.run("label", "cm", "b", "tier=db")
    return here


def test_get_shows_a_table_with_kubectls_columns(configs: Cluster) -> None:
    header, *rows = configs.run("get", "cm").splitlines()
    assert header.split() == ["NAME", "DATA", "AGE"]
    assert {"a", "b"} <= {row.split()[0] for row in rows}
    assert "No resources found in" in configs.attempt("get", "pods", "-l", "app=none").err
    assert configs.namespace in configs.run("get", "cm", "-A")


def test_get_by_name_by_slash_by_list_and_by_file(configs: Cluster, files: Path) -> None:
    (files / "a.yaml").write_text(objects.config("a"))
    assert configs.run("get", "configmap", "b", "a", "--no-headers").split()[0] == "b"
    assert "configmap/a" in configs.run("get", "cm/a", "ns/default")
    assert "configmap/a" in configs.run("get", "cm,ns")
    assert configs.run("get", "-f", "a.yaml", "-o", "name") == "configmap/a\n"


def test_the_flags_of_the_cluster_may_stand_before_the_verb(configs: Cluster) -> None:
    assert configs.run("-n", "kube-system", "get", "cm", "-o", "name") == ""
    assert configs.run("-n", "kube-system", "get", "cm", "a", "-n", configs.namespace)
    out = configs.run(
        "-n", "kube-system", "create", "configmap", "x", "--dry-run=server", "-o", "yaml"
    )
    assert "namespace: kube-system" in out


def test_get_formats(configs: Cluster) -> None:
    assert configs.run("get", "cm", "a", "-o", "name") == "configmap/a\n"
    tree = json.loads(configs.run("get", "cm", "a", "-o", "json"))
    assert (tree["kind"], tree["apiVersion"], tree["data"]) == ("ConfigMap", "v1", {"color": "red"})
    assert json.loads(configs.run("get", "cm", "-o", "json"))["kind"] == "List"
    assert "color: red" in configs.run("get", "cm/a", "-o", "yaml")
    assert configs.run("get", "cm/a", "-o", "jsonpath={.data.color}") == "red"
    assert configs.run("get", "cm/a", "-o", "custom-columns=N:.metadata.name,X:.data.none") == (
        "N   X\na   <none>\n"
    )


def test_get_selects_and_sorts(configs: Cluster) -> None:
    assert configs.run("get", "cm", "-l", "tier=db", "-o", "name") == "configmap/b\n"
    assert configs.run("get", "cm", "--field-selector", "metadata.name=a", "-o", "name") == (
        "configmap/a\n"
    )
    names = configs.run("get", "cm", "--sort-by", ".metadata.name", "-o", "name").split()
    assert names == sorted(names)
    assert configs.run("get", "cm", "b", "-L", "tier", "--no-headers").split()[-1] == "db"
    assert configs.run("get", "cm", "b", "--show-labels", "--no-headers").split()[-1] == "tier=db"


def test_get_shows_what_is_there_before_it_names_what_is_not(configs: Cluster) -> None:
    result = configs.attempt("get", "cm", "a", "gone")
    assert result.code == 1
    assert "a " in result.out
    assert result.err == 'error: configmaps "gone" not found\n'
    assert configs.attempt("get", "cm", "gone", "--ignore-not-found").code == 0


def test_describe_a_pod(web: Cluster) -> None:
    first = "jsonpath={.items[0].metadata.name}"
    pod = web.run("get", "pods", "-l", "app=web", "-o", first)
    text = web.run("describe", "pod", pod)
    for part in (
        "Status:           Running",
        "Controlled By:    ReplicaSet/web-",
        "Readiness:      http-get http://:http/healthy delay=0s timeout=1s period=1s",
        "PASSWORD:  <set to the key 'password' in secret 'keys'>  Optional: false",
        "MODE:      fast",
        "/scratch from scratch (rw)",
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
    ):
        assert part in text
    web.eventually("Successfully assigned", "describe", "pod", pod)
    assert "Name:             " + pod in web.run("describe", "pod", pod[:-1])


def test_describe_says_plainly_why_a_pod_is_pending(here: Cluster) -> None:
    text = objects.pod("big").replace(
        "image: demo", "image: demo\n    resources: {requests: {cpu: 900}}"
    )
    here.run("apply", "-f", "-", stdin=text)
    here.run("wait", "pod/big", "--for=condition=PodScheduled=False", "--timeout=10s")
    line = next(x for x in here.run("describe", "pod/big").splitlines() if x.startswith("Message:"))
    assert "nodes" in line and "cpu" in line


def test_describe_workloads_and_services(web: Cluster) -> None:
    text = web.run("describe", "deployment/web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in text
    assert "OldReplicaSets:" in text and "(2/2 replicas created)" in text
    web.eventually("Scaled up replica set", "describe", "deployment/web")
    assert "2 Running / 0 Pending" in web.run("describe", "rs", "-l", "app=web")
    service = web.run("describe", "service/web")
    endpoints = next(x for x in service.splitlines() if x.startswith("Endpoints:"))
    assert endpoints.count(":8080") == 2
    assert "TargetRef:   Pod/web-" in web.run("describe", "endpointslices", "--show-events=false")
    events = web.run("get", "events", "-o", "name").split()
    assert "Involved Object:" in web.run("describe", events[0])


def test_describe_shows_no_secret(web: Cluster) -> None:
    text = web.run("describe", "secret/keys")
    assert "password:  11 bytes" in text
    assert "open-sesame" not in text


def test_describe_the_rest(configs: Cluster) -> None:
    here = configs
    assert "color:  red" in here.run("describe", "cm/a")
    assert "Status:       Active" in here.run("describe", "namespace", here.namespace)
    assert "Name:" in here.run("describe", "serviceaccount/default")
    node = here.run("describe", "node/node-0")
    assert "Allocated resources:" in node and "hollow" in node


def test_events_about_one_object(web: Cluster) -> None:
    web.eventually("ScalingReplicaSet", "events", "--for", "deployment/web")
    assert "No events" in web.attempt("events", "--for", "deployment/web", "--types=Warning").err


def test_wait_for_a_condition_a_value_and_the_end(here: Cluster) -> None:
    here.run("apply", "-f", "-", stdin=objects.pod("one"))
    here.run("wait", "pod/one", "--for=condition=Ready", "--timeout=20s")
    here.run("wait", "pod", "-l", "app=one", "--for=jsonpath={.status.phase}=Running")
    here.run("wait", "pod/one", "--for=create", "--timeout=0s")
    here.run("delete", "pod/one", "--wait=false")
    here.run("wait", "pod/one", "--for=delete", "--timeout=20s")
    assert "not found" in here.refused("wait", "pod/one", "--for=condition=Ready")


def test_wait_gives_up_naming_what_is_left(configs: Cluster) -> None:
    for timeout in ("0s", "0.1s"):
        error = configs.refused("wait", "cm/a", "--for=condition=Ready", f"--timeout={timeout}")
        assert "condition=Ready" in error and "configmap/a" in error


def test_explain_reads_the_schema(here: Cluster) -> None:
    text = here.run("explain", "pods.spec.containers")
    assert "FIELD:    containers <[]Container>" in text
    assert "merged by containerPort" in text
    assert "not built yet: refused" in text
    assert "<quantity>" not in text
    assert "matchLabels <" not in here.run("explain", "deploy")
    assert "matchLabels  <map[string]string>" in here.run("explain", "deploy", "--recursive")
    error = here.refused("explain", "pods.spec.container")
    assert error == 'pods.spec has no field "container", did you mean "containers"?'


def test_api_resources(here: Cluster) -> None:
    assert "deployments" in here.run("api-resources", "--api-group=apps")
    assert "statefulsets.apps" in here.run("api-resources", "--all", "-o", "name")
    assert "nodes" in here.run("api-resources", "--namespaced=false", "-o", "wide", "--no-headers")
