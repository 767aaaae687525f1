"""scale, rollout, set, expose, run, logs, exec."""

from __future__ import annotations

import pytest

from tests.cli.running import Cluster


def deployment(web: Cluster, path: str) -> str:
    return web.run("get", "deployment/web", "-o", f"jsonpath={{{path}}}")


@pytest.fixture(autouse=True, scope="module")
def rolled_out(web: Cluster) -> Cluster:
    return web


def test_scale(web: Cluster) -> None:
    assert web.run("scale", "deployment/web", "--replicas=3") == "deployment.apps/web scaled\n"
    assert deployment(web, ".spec.replicas") == "3"
    assert "has 3 replicas" in web.refused(
        "scale", "deploy", "web", "--replicas=1", "--current-replicas=2"
    )
    assert web.refused("scale", "cm/x", "--replicas=1") == "configmaps cannot be scaled"
    web.run("scale", "deployment/web", "--replicas=2", "--current-replicas=3")


def test_rollout_from_change_to_undo(web: Cluster) -> None:
    web.run("annotate", "deployment/web", "kubernetes.io/change-cause=first", "--overwrite")
    web.eventually("first", "rollout", "history", "deployment/web")
    before = deployment(web, ".spec.template.spec.containers[0].image")
    assert web.run("set", "image", "deployment/web", "main=demo:2") == (
        "deployment.apps/web image updated\n"
    )
    status = web.run("rollout", "status", "deployment/web", "--timeout=20s").splitlines()
    assert status[-1] == 'deployment "web" successfully rolled out'
    history = web.run("rollout", "history", "deployment/web")
    assert len(history.splitlines()) >= 4
    number = history.splitlines()[-1].split()[0]
    revision = web.run("rollout", "history", "deployment/web", f"--revision={number}")
    assert "image: demo:2" in revision
    assert web.run("rollout", "undo", "deployment/web", "--dry-run=server").endswith(
        "rolled back (server dry run)\n"
    )
    assert web.run("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    assert deployment(web, ".spec.template.spec.containers[0].image") == before
    assert "revision 99" in web.refused("rollout", "undo", "deploy/web", "--to-revision=99")


def test_rollout_pause_resume_restart(web: Cluster) -> None:
    web.run("rollout", "pause", "deployment/web")
    assert "is paused" in web.refused("rollout", "undo", "deployment/web")
    web.run("rollout", "resume", "deployment/web")
    web.run("rollout", "restart", "deployment/web")
    assert "restartedAt" in deployment(web, ".spec.template.metadata.annotations")
    assert web.refused("rollout", "status", "pod/x") == "rollout works on deployments, not on pods"


def test_set_env_and_resources(web: Cluster) -> None:
    web.run("set", "env", "deployment/web", "NEW=1", "MODE-")
    names = deployment(web, ".spec.template.spec.containers[0].env[*].name")
    assert "NEW" in names and "MODE" not in names
    web.run("set", "resources", "deployment/web", "--limits=memory=128Mi")
    assert "128Mi" in deployment(web, ".spec.template.spec.containers[0].resources")
    assert "no such container; it has main" in web.refused("set", "image", "deploy/web", "x=y")


def test_expose_and_run(web: Cluster) -> None:
    assert web.run("expose", "deployment/web", "--name=other", "--port=80") == (
        "service/other created\n"
    )
    assert web.run("get", "svc", "other", "-o", "jsonpath={.spec.selector.app}") == "web"
    assert web.refused("expose", "cm/x", "--port=80") == "configmaps cannot be exposed"
    assert web.run("run", "one", "--image=demo", "--env=A=b", "--", "sleep", "9") == (
        "pod/one created\n"
    )
    shown = web.run("get", "pod/one", "-o", "jsonpath={.spec.containers[0].args}{.metadata.labels}")
    assert shown == '["sleep","9"]{"run":"one"}'


def test_logs_and_exec_name_what_is_missing(web: Cluster) -> None:
    assert web.refused("logs", "gone") == 'pods "gone" not found'
    error = web.refused("logs", "deployment/web", "-c", "nope")
    assert 'container "nope" is not in pod' in error and "it has main" in error
    assert web.refused("logs", "cm/kube-root-ca.crt") in (
        "configmaps have no pods of their own",
        'configmaps "kube-root-ca.crt" not found',
    )
    assert "it has main" in web.refused("exec", "deploy/web", "-c", "nope", "--", "ls")
    assert "say which command" in web.refused("exec", "deploy/web", code=2)
