"""What a judgement does to a Node: condition Ready becomes Unknown, and the taints that keep pods
off an unreachable node come and go (NoExecute, which replaces its pods, only when it is lost).

Level triggered: given a Node and its standing, the messages to write, none when the Node is
as it should be. The agent reports Ready itself again when it is back. Pure module.
"""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.sessions.verdicts import Standing

UNREACHABLE = "node.kubernetes.io/unreachable"
REASON = "NodeStatusUnknown"
MESSAGE = "The node's agent stopped beating."
_EFFECTS: dict[Standing, tuple[str, ...]] = {
    Standing.PRESENT: (),
    Standing.ABSENT: ("NoSchedule",),
    Standing.LOST: ("NoSchedule", "NoExecute"),
}


def status_wanted(node: core.Node, standing: Standing, now: float) -> core.Node | None:
    """The Node with every condition of the agent Unknown, None when nothing is to be written.

    now: Unix seconds, becomes lastTransitionTime.
    """
    if standing is Standing.PRESENT:
        return None
    known = [c for c in node.status.conditions if c.status != "Unknown"]
    ready = any(condition.type == "Ready" for condition in node.status.conditions)
    if ready and not known:
        return None
    wanted = core.Node()
    wanted.CopyFrom(node)
    if not ready:
        wanted.status.conditions.add(type="Ready")
    for condition in wanted.status.conditions:
        if condition.status != "Unknown":
            condition.status, condition.reason, condition.message = "Unknown", REASON, MESSAGE
            condition.lastTransitionTime.seconds = int(now)
    return wanted


def taints_wanted(node: core.Node, standing: Standing, now: float) -> core.Node | None:
    """The Node with the taints of its standing, None when it is right as it is."""
    present = {taint.effect for taint in node.spec.taints if taint.key == UNREACHABLE}
    if present == set(_EFFECTS[standing]):
        return None
    wanted = core.Node()
    wanted.CopyFrom(node)
    kept = [taint for taint in node.spec.taints if taint.key != UNREACHABLE]
    del wanted.spec.taints[:]
    wanted.spec.taints.extend(kept)
    for effect in _EFFECTS[standing]:
        taint = wanted.spec.taints.add(key=UNREACHABLE, effect=effect)
        taint.timeAdded.seconds = int(now)
    return wanted
