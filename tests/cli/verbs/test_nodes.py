"""cordon, uncordon, drain, taint, on hollow nodes."""

from __future__ import annotations

from tests.cli import objects
from tests.cli.running import NODES, Cluster


def test_cordon_and_uncordon(here: Cluster) -> None:
    assert here.run("cordon", "node-1") == "node/node-1 cordoned\n"
    assert here.run("cordon", "node-1") == "node/node-1 already cordoned\n"
    assert "SchedulingDisabled" in here.run("get", "node", "node-1")
    assert here.run("uncordon", "node/node-1") == "node/node-1 uncordoned\n"
    assert "name nodes or give -l" in here.refused("cordon", code=2)
    assert here.refused("cordon", "node-9") == 'nodes "node-9" not found'


def test_taint_and_untaint(here: Cluster) -> None:
    assert here.run("taint", "node", "node-1", "k=v:PreferNoSchedule") == "node/node-1 tainted\n"
    assert "add --overwrite" in here.refused("taint", "node", "node-1", "k=w:PreferNoSchedule")
    assert "Taints:" in here.run("describe", "node/node-1")
    assert here.run("taint", "node", "node-1", "k-") == "node/node-1 untainted\n"
    assert "is not on node/node-1" in here.refused("taint", "node", "node-1", "k-")
    assert "effect must be one of" in here.refused("taint", "node", "node-1", "k=v:Sometimes")


def test_drain_moves_pods_and_asks_before_it_loses_one(here: Cluster) -> None:
    here.run("apply", "-f", "-", stdin=objects.pod("alone"))
    here.run("wait", "pod/alone", "--for=condition=Ready", "--timeout=20s")
    node = here.run("get", "pod/alone", "-o", "jsonpath={.spec.nodeName}")
    assert node in NODES
    error = here.refused("drain", node, "--pod-selector=app=alone")
    assert f"{here.namespace}/alone (has no controller that would replace it: --force)" in error
    out = here.run("drain", node, "--pod-selector=app=alone", "--force", "--grace-period=1")
    assert out.splitlines()[-1] == f"node/{node} drained"
    here.refused("get", "pod/alone")
    here.run("uncordon", node)
