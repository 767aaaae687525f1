"""token, certificate, config, cluster status, version, completion."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Cluster


def test_tokens_are_made_listed_and_revoked(started: Cluster) -> None:
    token = started.run("token", "create", "--description=mine", "--ttl=1h", "--uses=2").strip()
    row = next(x for x in started.run("token", "list").splitlines() if x.endswith("mine"))
    identifier = row.split()[0]
    assert identifier in token and " 2 " in row
    assert started.run("token", "revoke", identifier) == f"token {identifier} revoked\n"
    assert identifier not in started.run("token", "list")
    assert "--ttl" in started.refused("token", "create", "--ttl=soon", code=2)


def test_certificates_are_revoked_by_name(started: Cluster) -> None:
    out = started.run("certificate", "revoke", "node/left-long-ago")
    assert out.endswith("left-long-ago revoked\n")


def test_contexts(started: Cluster, files: Path) -> None:
    copy = files / "config"
    shutil.copy(started.kubeconfig, copy)
    flag = f"--kubeconfig={copy}"
    assert started.run("config", "current-context", flag) == "holdfast\n"
    assert started.run("config", "get-contexts", flag).splitlines()[1].split()[:2] == [
        "*",
        "holdfast",
    ]
    assert "Switched" in started.run("config", "use-context", "holdfast", flag)
    assert 'there is no context "other"' in started.refused("config", "use-context", "other", flag)


def test_status_and_version(started: Cluster) -> None:
    status = started.run("cluster", "status")
    assert "2 of 2 Ready" in status and "control-1" in status
    assert "Server Version: 0." in started.run("version")
    assert "Server" not in started.run("version", "--client")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(started: Cluster, shell: str) -> None:
    assert "_HOLDFAST_COMPLETE" in started.run("completion", shell)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("holdfast desc", "describe"),
        ("holdfast get deplo", "deployments"),
        ("holdfast get node node-", "node-1"),
        ("holdfast describe node/node-", "node/node-0"),
        ("holdfast drain node-", "node-0"),
        ("holdfast get pods -n kube-s", "kube-system"),
        ("holdfast --context ", ""),
    ],
)
def test_the_shell_is_offered_verbs_kinds_and_names(
    started: Cluster, line: str, offered: str
) -> None:
    with started.process() as process:
        process.kill()
    words = line.split(" ")
    done = subprocess.run(
        process.args,
        env={
            **started.environment,
            "_HOLDFAST_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert f"plain,{offered}" in done.stdout.splitlines() or not offered
