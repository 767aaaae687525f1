"""Which processes a cluster on this machine is made of, and what its settings allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.api.errors import ApiError
from holdfast.cli.cluster import network, plan
from holdfast.cli.cluster import settings as module
from holdfast.cli.cluster.settings import Settings

DATA = Path("/data/holdfast")


def names(settings: Settings) -> list[str]:
    return [process.name for process in plan.processes(settings)]


def test_one_node_uses_the_machine_itself() -> None:
    settings = Settings(DATA)
    assert names(settings) == ["control", "containerd-node-1", "node-1", "netproxy-node-1"]
    assert all(process.namespace == "" for process in plan.processes(settings))


def test_several_nodes_have_namespaces_and_the_machine_a_proxy() -> None:
    settings = Settings(DATA, nodes=3)
    found = {process.name: process for process in plan.processes(settings)}
    assert found["node-2"].namespace == network.namespace(settings, "node-2")
    assert found["containerd-node-3"].namespace == found["netproxy-node-3"].namespace
    assert found["netproxy-host"].namespace == ""
    assert "10.89.0.1" in found["control"].arguments


def test_hollow_nodes_are_one_process() -> None:
    assert names(Settings(DATA, runtime="hollow", nodes=1000)) == ["control", "hollow"]


def test_control_nodes_join_the_first() -> None:
    found = {one.name: one for one in plan.processes(Settings(DATA, control=3))}
    ports = [
        found[name].arguments[found[name].arguments.index("--port") + 1]
        for name in ("control", "control-2", "control-3")
    ]
    assert ports == ["6444", "6454", "6464"]
    assert found["control"].joins is None
    assert found["control-2"].joined == DATA / "control-2" / "store.db"
    assert found["control-3"].after == ("control",)
    assert "--kubeconfig" not in found["control-3"].arguments


def test_on_an_etcd_every_control_node_is_told_where_it_is() -> None:
    settings = Settings(DATA, control=3, store="etcd://db-1,db-2/prod")
    found = {one.name: one for one in plan.processes(settings)}
    for name in ("control", "control-2", "control-3"):
        arguments = found[name].arguments
        assert arguments[arguments.index("--store") + 1] == settings.store
    assert found["control-2"].joined == DATA / "control-2" / "store.json"
    assert found["control-3"].joins is not None


def test_where_the_state_is_stays_until_another_place_is_given() -> None:
    on_etcd = module.merged(None, DATA, None, None, None, store="etcd://db")
    assert module.merged(on_etcd, DATA, None, None, None).store == "etcd://db"
    assert not module.merged(on_etcd, DATA, None, None, None, store="raft").on_etcd
    with pytest.raises(ApiError, match="--store must be raft or begin with etcd://, not redis:"):
        module.merged(None, DATA, None, None, None, store="redis:")


@pytest.mark.parametrize(("nodes", "control"), [(1, 1), (3, 1), (3, 5)])
def test_each_process_waits_only_for_earlier_ones(nodes: int, control: int) -> None:
    seen: list[str] = []
    for process in plan.processes(Settings(DATA, nodes=nodes, control=control)):
        assert set(process.after) <= set(seen)
        seen.append(process.name)


def test_no_secret_stands_in_the_arguments() -> None:
    for process in plan.processes(Settings(DATA, nodes=2)):
        assert "--join" not in process.arguments
        assert process.joins is None or process.joins.name == "join-token"


@pytest.mark.parametrize(
    ("failures", "ran_s", "delay_s"),
    [(1, 0.1, 0.2), (2, 0.1, 0.4), (20, 0.1, 5.0), (20, 31.0, 0.0)],
)
def test_restarts_are_delayed_more_and_more(failures: int, ran_s: float, delay_s: float) -> None:
    assert plan.restart_delay_s(failures, ran_s) == pytest.approx(delay_s)


def test_interface_names_fit_the_kernel() -> None:
    settings = Settings(DATA, nodes=50)
    for line in network.outside(settings).splitlines():
        words = line.split()
        if words[:2] == ["link", "add"]:
            assert len(words[2]) <= 15


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = Settings(tmp_path, nodes=3, port=7000, control=3)
    module.save(settings)
    assert module.load(tmp_path) == settings


def test_settings_of_an_older_program_have_one_control_node(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text('{"runtime": "hollow", "nodes": 2, "port": 7000}')
    assert module.load(tmp_path) == Settings(tmp_path, "hollow", 2, 7000)


def test_a_later_up_keeps_what_is_not_said() -> None:
    kept = Settings(DATA, nodes=3, port=7000)
    assert module.merged(kept, DATA, None, None, None) == kept
    assert module.merged(kept, DATA, None, 4, None).nodes == 4


@pytest.mark.parametrize(
    ("kept", "runtime", "nodes", "port", "names_it"),
    [
        (None, None, 0 - 1, None, "--nodes"),
        (None, None, 51, None, "--nodes"),
        (None, "hollow", 5001, None, "--nodes"),
        (None, None, None, 70000, "--port"),
        (Settings(DATA), "hollow", None, None, "--runtime"),
        (Settings(DATA), None, 3, None, "namespaces"),
    ],
)
def test_wrong_settings_name_the_flag(
    kept: Settings | None, runtime: str | None, nodes: int | None, port: int | None, names_it: str
) -> None:
    with pytest.raises(ApiError, match=names_it):
        module.merged(kept, DATA, runtime, nodes, port)


@pytest.mark.parametrize("control", [0, 2, 4, 7])
def test_control_nodes_are_an_odd_few(control: int) -> None:
    with pytest.raises(ApiError, match="--control must be 1, 3 or 5"):
        module.merged(None, DATA, None, None, None, control)


def test_control_nodes_may_become_more_and_not_fewer() -> None:
    kept = Settings(DATA, control=3)
    assert module.merged(kept, DATA, None, None, None, 5).control == 5
    with pytest.raises(ApiError, match="not fewer"):
        module.merged(kept, DATA, None, None, None, 1)
    with pytest.raises(ApiError, match="--port stays 6444"):
        module.merged(kept, DATA, None, None, 7000)


def test_a_long_data_dir_is_refused() -> None:
    with pytest.raises(ApiError, match="--data-dir"):
        module.checked(Settings(Path("/" + "x" * 80)))


def test_a_foreign_settings_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text("[]")
    with pytest.raises(ApiError, match="not a settings file"):
        module.load(tmp_path)
