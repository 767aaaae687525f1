"""The configuration of our own containerd."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from holdfast.runtime import containerd
from holdfast.runtime.containerd import Abilities


def test_configuration():
    where = containerd.layout(Path("/d"))
    text = containerd.config(where, Abilities("native", restrict_oom_score_adj=True))
    tree = tomllib.loads(text)
    assert tree["root"] == "/d/root"
    assert tree["grpc"]["address"] == "/d/containerd.sock"
    cri = tree["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "localhost/holdfast-pause:1"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["containerd"]["snapshotter"] == "native"
    assert cri["containerd"]["runtimes"]["runc"]["options"]["Root"] == "/d/state/runc"


def test_a_socket_path_the_kernel_would_refuse_is_refused_here():
    where = containerd.layout(Path("/" + "x" * 120))
    with pytest.raises(ValueError, match="shorter data directory"):
        containerd.config(where, Abilities())


def test_command_line_in_a_network_namespace():
    found = containerd.command(Path("/c.toml"), Path("/run/netns/a"))
    assert found == ["nsenter", "--net=/run/netns/a", "--", "containerd", "--config", "/c.toml"]


async def test_waiting_for_a_containerd_that_never_comes(tmp_path):
    with pytest.raises(TimeoutError, match="is not ready"):
        await containerd.wait_ready(tmp_path / "s", 0.2)
