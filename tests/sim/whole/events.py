"""What must happen in a campaign of the whole tier; one that never does means it tests less."""

from __future__ import annotations

from tests.sim.whole.plan import FAULTS

MUST_HAPPEN = (
    *(f"fault: {name}" for name in FAULTS),
    "call cancelled",
    "commit of an old term refused",
    "controller wrote",
    "crash lost a transaction",
    "floor raised",
    "follower removed",
    "leader elected",
    "leader removed",
    "learner promoted",
    "list answered",
    "member added",
    "message doubled",
    "message lost",
    "message overtakes",
    "outcome unknown",
    "page answered",
    "page below the floor",
    "read answered",
    "read served by a follower",
    "refused as compare",
    "refused as exists",
    "refused as missing",
    "refused as not done",
    "refused as stale",
    "restart",
    "retry answered",
    "snapshot installed",
    "snapshot lost",
    "unknown and applied",
    "unknown and not applied",
    "watch ahead of its member",
    "watch below the floor",
    "watch fell silent",
    "watch resumed inside a commit",
    "write given up",
)
