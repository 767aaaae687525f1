"""`member`, `recover` and the token of a control node, on a cluster of one."""

from __future__ import annotations

from pathlib import Path

from holdfast.api.tls import tokens
from tests.cli.running import Cluster


def test_the_only_member_leads(started: Cluster) -> None:
    header, row = started.run("member", "list").splitlines()
    assert header.split() == ["NAME", "ID", "ROLE", "MATCHED", "PEER", "ENDPOINTS"]
    name, identifier, role, *_ = row.split()
    assert (name, len(identifier), role) == ("control-1", 16, "leader")
    assert f"127.0.0.1:{started.port + 3}" in row
    assert row.endswith(f"127.0.0.1:{started.port}")
    assert "control-1" in started.run("cluster", "status")


def test_what_cannot_be_is_one_sentence(started: Cluster) -> None:
    assert "is the only one that votes" in started.refused("member", "remove", "control-1")
    assert "votes already" in started.refused("member", "promote", "control-1")
    for verb in ("remove", "promote", "transfer"):
        sentence = started.refused("member", verb, "nobody")
        assert 'there is no control node "nobody"' in sentence
    assert "control node control-1 leads" in started.run("member", "transfer", "control-1")


def test_the_command_for_a_new_control_node(started: Cluster) -> None:
    result = started.attempt("member", "add", "--ttl", "10m")
    command = result.lines[-1]
    target = tokens.parse_target(command.split("--join ")[1])
    assert target.address == f"127.0.0.1:{started.port + 1}"
    listed = started.run("token", "list")
    row = next(line for line in listed.splitlines() if line.startswith(target.token.id))
    assert "control nodes" in row
    assert " 1 " in row
    started.run("token", "revoke", target.token.id)


def test_recovering_is_said_twice(started: Cluster, tmp_path: Path) -> None:
    flags = ("--data-dir", str(tmp_path))
    assert "--force-new-cluster" in started.refused("recover", *flags, code=2)
    result = started.attempt("recover", "--force-new-cluster", *flags, stdin="n\n")
    assert result.code == 130
    assert "must never be" in result.err
