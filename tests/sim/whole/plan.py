"""What one seed of the whole tier is about: sizes, clocks, limits, and which faults it has."""

from __future__ import annotations

import random
from dataclasses import dataclass

SAFETY_S = 50.0
LIVENESS_S = 12.0
FAULTS = (
    "crash",
    "crash leader",
    "crash all",
    "pause",
    "isolate",
    "split",
    "one-way",
    "chain",
    "weather",
    "slow disk",
    "full disk",
    "membership",
    "transfer",
)
DISTURBANCES = ("crash leader", "isolate leader", "pause leader", "transfer")


@dataclass(frozen=True)
class Plan:
    """The drawn settings of a seed."""

    members: int
    tick_s: float
    rate_spread: float
    sync_s: float
    bytes_per_message: int
    inflight_messages: int
    applying_bytes: int
    inbox: int
    snapshot_s: float
    log_kept: int
    history_kept: int
    ring: int
    bookmark_s: float
    think_s: float
    fault_s: float
    disturbances: tuple[str, ...]
    faults: tuple[str, ...]
    slow_watchers: bool


def draw(rng: random.Random) -> Plan:
    """The plan of a seed."""
    pick = rng.choice
    faults = tuple(fault for fault in FAULTS if rng.random() < 0.5) or ("crash",)
    disturbances = tuple(one for one in DISTURBANCES if rng.random() < 0.6) or ("crash leader",)
    members = pick((1, 3, 3, 3, 3, 3, 5))
    if members == 1:
        disturbances = ("crash leader",)
    return Plan(
        members=members,
        tick_s=pick((0.05, 0.05, 0.1, 0.1)),
        rate_spread=pick((0.0, 0.01, 0.05)),
        sync_s=pick((0.0005, 0.002, 0.002, 0.02)),
        bytes_per_message=pick((1, 300, 1 << 20)),
        inflight_messages=pick((2, 4, 64)),
        applying_bytes=pick((1, 400, 8 << 20)),
        inbox=pick((4, 32, 4_096)),
        snapshot_s=pick((0.0, 0.0, 0.2, 1.5)),
        log_kept=pick((1, 5, 20, 50)),
        history_kept=pick((20, 60, 200)),
        ring=pick((8, 40, 400)),
        bookmark_s=pick((0.4, 1.0, 2.0)),
        think_s=pick((0.12, 0.16, 0.2)),
        fault_s=pick((1.2, 1.6, 2.0)),
        disturbances=disturbances,
        faults=faults,
        slow_watchers=rng.random() < 0.4,
    )
