"""What a judgement writes, and that writing it twice writes nothing."""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.sessions.effects import REASON, UNREACHABLE, status_wanted, taints_wanted
from holdfast.control.sessions.verdicts import Standing

NOW = 1_800_000_000.0


def _node() -> core.Node:
    node = core.Node()
    node.metadata.name = "n1"
    node.status.conditions.add(type="Ready", status="True", reason="KubeletReady")
    node.status.conditions.add(type="MemoryPressure", status="False")
    node.spec.taints.add(key="dedicated", effect="NoSchedule", value="gpu")
    return node


def test_a_lost_node_is_unknown_and_tainted() -> None:
    node = _node()
    before = node.SerializeToString(deterministic=True)
    status = status_wanted(node, Standing.LOST, NOW)
    assert status is not None
    assert {(c.type, c.status, c.reason) for c in status.status.conditions} == {
        ("Ready", "Unknown", REASON),
        ("MemoryPressure", "Unknown", REASON),
    }
    assert status.status.conditions[0].lastTransitionTime.seconds == int(NOW)
    taints = taints_wanted(node, Standing.LOST, NOW)
    assert taints is not None
    assert [(t.key, t.effect) for t in taints.spec.taints] == [
        ("dedicated", "NoSchedule"),
        (UNREACHABLE, "NoSchedule"),
        (UNREACHABLE, "NoExecute"),
    ]
    assert taints.spec.taints[2].timeAdded.seconds == int(NOW)
    assert node.SerializeToString(deterministic=True) == before
    assert status_wanted(status, Standing.LOST, NOW + 9) is None
    assert taints_wanted(taints, Standing.LOST, NOW + 9) is None


def test_a_node_without_conditions_gets_ready_unknown() -> None:
    status = status_wanted(core.Node(), Standing.LOST, NOW)
    assert status is not None
    assert [(c.type, c.status) for c in status.status.conditions] == [("Ready", "Unknown")]


def test_a_node_that_is_back_loses_only_our_taints() -> None:
    tainted = taints_wanted(_node(), Standing.LOST, NOW)
    assert tainted is not None
    back = taints_wanted(tainted, Standing.PRESENT, NOW)
    assert back is not None
    assert back.spec == _node().spec
    assert taints_wanted(back, Standing.PRESENT, NOW) is None
    assert status_wanted(back, Standing.PRESENT, NOW) is None


def test_half_of_the_taints_are_completed() -> None:
    node = core.Node()
    node.spec.taints.add(key=UNREACHABLE, effect="NoSchedule")
    wanted = taints_wanted(node, Standing.LOST, NOW)
    assert wanted is not None
    assert [t.effect for t in wanted.spec.taints] == ["NoSchedule", "NoExecute"]


def test_an_absent_node_gets_no_new_pods_and_keeps_those_it_has() -> None:
    tainted = taints_wanted(_node(), Standing.ABSENT, NOW)
    assert tainted is not None
    assert {taint.effect for taint in tainted.spec.taints if taint.key == UNREACHABLE} == {
        "NoSchedule"
    }
    status = status_wanted(tainted, Standing.ABSENT, NOW)
    assert status is not None
    assert {condition.status for condition in status.status.conditions} == {"Unknown"}
