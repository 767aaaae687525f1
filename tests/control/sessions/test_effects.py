"""What a judgement writes, and that writing it twice writes nothing."""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.sessions.effects import REASON, UNREACHABLE, status_wanted, taints_wanted

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
    status = status_wanted(node, lost=True, now=NOW)
    assert status is not None
    assert {(c.type, c.status, c.reason) for c in status.status.conditions} == {
        ("Ready", "Unknown", REASON),
        ("MemoryPressure", "Unknown", REASON),
    }
    assert status.status.conditions[0].lastTransitionTime.seconds == int(NOW)
    taints = taints_wanted(node, lost=True, now=NOW)
    assert taints is not None
    assert [(t.key, t.effect) for t in taints.spec.taints] == [
        ("dedicated", "NoSchedule"),
        (UNREACHABLE, "NoSchedule"),
        (UNREACHABLE, "NoExecute"),
    ]
    assert taints.spec.taints[2].timeAdded.seconds == int(NOW)
    assert node.SerializeToString(deterministic=True) == before
    assert status_wanted(status, lost=True, now=NOW + 9) is None
    assert taints_wanted(taints, lost=True, now=NOW + 9) is None


def test_a_node_without_conditions_gets_ready_unknown() -> None:
    status = status_wanted(core.Node(), lost=True, now=NOW)
    assert status is not None
    assert [(c.type, c.status) for c in status.status.conditions] == [("Ready", "Unknown")]


def test_a_node_that_is_back_loses_only_our_taints() -> None:
    tainted = taints_wanted(_node(), lost=True, now=NOW)
    assert tainted is not None
    back = taints_wanted(tainted, lost=False, now=NOW)
    assert back is not None
    assert back.spec == _node().spec
    assert taints_wanted(back, lost=False, now=NOW) is None
    assert status_wanted(back, lost=False, now=NOW) is None


def test_half_of_the_taints_are_completed() -> None:
    node = core.Node()
    node.spec.taints.add(key=UNREACHABLE, effect="NoSchedule")
    wanted = taints_wanted(node, lost=True, now=NOW)
    assert wanted is not None
    assert [t.effect for t in wanted.spec.taints] == ["NoSchedule", "NoExecute"]
