"""token, certificate, config, cluster status, version, completion."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from holdfast.cli.main import cli
from holdfast.cli.verbs.completion import VARIABLE
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
        ("desc", "describe"),
        ("get deplo", "deployments"),
        ("get node node-", "node-1"),
        ("describe node/node-", "node/node-0"),
        ("drain node-", "node-0"),
        ("get pods -n kube-s", "kube-system"),
        ("get pods --context hold", "holdfast"),
        ("explain stat", "statefulsets"),
        ("rollout st", "status"),
    ],
)
def test_the_shell_is_offered_verbs_kinds_and_names(
    started: Cluster, monkeypatch: pytest.MonkeyPatch, line: str, offered: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(started.kubeconfig))
    *before, word = line.split(" ")
    found = BashComplete(cli, {}, "holdfast", VARIABLE).get_completions(before, word)
    assert offered in [item.value for item in found]


def test_without_a_cluster_nothing_is_offered_and_nothing_said(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(files / "none"))
    completion = BashComplete(cli, {}, "holdfast", VARIABLE)
    assert completion.get_completions(["get", "pods"], "") == []
    assert completion.get_completions(["get", "poods"], "") == []
    assert capsys.readouterr() == ("", "")


def test_the_script_and_the_command_speak_the_same_protocol(started: Cluster) -> None:
    environment = {VARIABLE: "bash_complete", "COMP_WORDS": "holdfast desc", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "holdfast.cli.main"],
        env={**started.environment, **environment},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("plain,describe\n", "")
