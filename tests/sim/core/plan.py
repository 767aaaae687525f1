"""What one seed is about: sizes, settings, and which faults it has, drawn once.

Each seed draws a subset of the faults (swarm testing): with all of them at once a run does
nothing but elect, and bugs that need a long quiet stretch first are never met.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from holdfast.control.raft.messages import NO_LIMIT

STEPS = 6_000
FAULTS = (
    "crash",
    "partition",
    "pause",
    "compact",
    "membership",
    "transfer",
    "campaign",
    "forget",
    "unreachable",
)


@dataclass(frozen=True)
class Plan:
    """The drawn settings. Probabilities are per step or per message; image: that the image rides
    in a transaction; sync: that a disk that could sync now does; seize: that a fault strikes
    at a delicate moment (a leader was just elected, a joint configuration just entered)."""

    members: int
    asynchronous: bool
    pre_vote: bool
    check_quorum: bool
    forwarding: bool
    step_down_on_removal: bool
    election_tick: int
    max_size_per_msg: int
    max_committed_size: int
    max_uncommitted_size: int
    max_inflight_msgs: int
    max_inflight_bytes: int
    log_kept: int
    steps: int
    tick: float
    client: float
    fault: float
    recover: float
    loss: float
    duplicate: float
    window: int
    image: float
    sync: float
    seize: float
    reads: float
    faults: tuple[str, ...]


def draw(rng: random.Random, steps: int = STEPS) -> Plan:
    """The plan of a seed."""
    pick = rng.choice
    faults = tuple(fault for fault in FAULTS if rng.random() < 0.6) or ("crash",)
    pre_vote = rng.random() < 0.6
    fault = pick((0.002, 0.004, 0.008))
    return Plan(
        members=pick((1, 2, 3, 3, 3, 3, 4, 5, 5)),
        asynchronous=rng.random() < 0.8,
        pre_vote=pre_vote,
        check_quorum=rng.random() < (0.85 if pre_vote else 0.4),
        forwarding=rng.random() < 0.25,
        step_down_on_removal=rng.random() < 0.5,
        election_tick=pick((3, 3, 4, 6)),
        max_size_per_msg=pick((0, 0, 80, 400, NO_LIMIT)),
        max_committed_size=pick((1, 150, 800, NO_LIMIT)),
        max_uncommitted_size=pick((NO_LIMIT, NO_LIMIT, 1_200)),
        max_inflight_msgs=pick((1, 2, 4, 64)),
        max_inflight_bytes=pick((NO_LIMIT, NO_LIMIT, 500)),
        log_kept=pick((0, 1, 5, 12, 50)),
        steps=steps,
        tick=pick((0.01, 0.05, 0.15)),
        client=pick((0.02, 0.05, 0.1)),
        fault=fault,
        recover=pick((0.001, 0.003, 0.008)),
        loss=pick((0.0, 0.0, 0.02, 0.1)),
        duplicate=pick((0.0, 0.02, 0.1)),
        window=pick((1, 1, 4, 30)),
        image=pick((0.1, 0.4, 0.9)),
        sync=pick((1.0, 0.5, 0.15)),
        seize=pick((0.0, 0.3, 0.7)),
        reads=pick((0.0, 0.3, 0.5)),
        faults=faults,
    )
