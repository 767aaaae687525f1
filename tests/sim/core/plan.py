"""What one seed is about: sizes, settings, and which faults it has, drawn once.

Each seed draws a subset of the faults (swarm testing): with all of them at once a run does
nothing but elect, and bugs that need a long quiet stretch first are never met. Most seeds
have a theme: a few faults that make each other worse, often, beside a subset of the others.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.control.raft.messages import NO_LIMIT

STEPS = 6_000
FAULTS = (
    "crash",
    "partition",
    "factions",
    "pause",
    "stall",
    "depose",
    "lag",
    "compact",
    "membership",
    "exile",
    "transfer",
    "campaign",
    "forget",
    "unreachable",
)
MOMENTS = (
    "asked for a vote",
    "elected",
    "group changed",
    "learner level",
    "old entry acknowledged",
    "snapshot taken",
    "write answered",
)


class Theme(NamedTuple):
    """Faults that make each other worse, with their weights, beside the moments that suit them.
    fault, recover: chances to draw from; pace: the same for disks and state machines;
    compact: the same for `Plan.compact_each`, with few entries kept; () = nothing special."""

    faults: dict[str, int]
    moments: tuple[str, ...]
    fault: tuple[float, ...]
    recover: tuple[float, ...]
    members: tuple[int, ...] = (3, 3, 3, 4, 5)
    pace: tuple[float, ...] = (1.0, 0.6, 0.25)
    compact: tuple[int, ...] = ()


ANY = Theme({}, (), (0.002, 0.004, 0.008), (0.003, 0.008, 0.02), (1, 2, 3, 3, 3, 3, 4, 5, 5))
# A change of the group takes hundreds of steps: few faults, and none that only makes noise.
GROUPS = Theme(
    {"membership": 4, "exile": 2, "factions": 2},
    ("group changed", "learner level", "snapshot taken"),
    (0.002, 0.004),
    (0.001, 0.003),
    members=(2, 3, 3, 3),
    pace=(1.0, 0.6),
    compact=(3, 8),
)
ELECTIONS = Theme(
    {"campaign": 4, "crash": 2, "partition": 2, "stall": 1},
    ("asked for a vote", "elected", "old entry acknowledged"),
    (0.004, 0.008, 0.012),
    (0.003, 0.008, 0.02),
)
DISKS = Theme(
    {"depose": 5, "stall": 2, "crash": 1, "campaign": 1},
    ("write answered",),
    (0.003, 0.006),
    (0.008, 0.02),
    members=(3, 4, 5, 5),
)
SNAPSHOTS = Theme(
    {"lag": 4, "compact": 2, "stall": 2, "partition": 2, "membership": 1},
    ("snapshot taken",),
    (0.003, 0.006),
    (0.003, 0.008, 0.02),
    pace=(1.0, 0.25, 0.1),
    compact=(0, 3, 8),
)
THEMES = (ANY, ANY, ANY, ANY, GROUPS, GROUPS, ELECTIONS, DISKS, SNAPSHOTS)


@dataclass(frozen=True)
class Plan:
    """The drawn settings. Probabilities are per step or per message; image: that the image rides
    in a transaction; sync, apply: that a disk that could sync now does, a state machine that could
    apply; late: that a message arrives once more, much later; seize: that a fault strikes at a
    delicate moment (a leader was just elected, a joint configuration just entered); compact_each:
    that the log is compacted when it has so many entries to spare (0: by a fault only)."""

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
    compact_each: int
    steps: int
    tick: float
    client: float
    fault: float
    recover: float
    loss: float
    duplicate: float
    late: float
    window: int
    image: float
    sync: float
    apply: float
    seize: float
    reads: float
    faults: tuple[str, ...]
    moments: tuple[str, ...]


def draw(rng: random.Random, steps: int = STEPS) -> Plan:
    """The plan of a seed."""
    pick = rng.choice
    theme = pick(THEMES)
    pre_vote = rng.random() < 0.6
    return Plan(
        members=pick(theme.members),
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
        log_kept=pick((0, 1, 5) if theme.compact else (0, 1, 5, 12, 50)),
        compact_each=pick(theme.compact or (0, 0, 5, 20)),
        steps=steps,
        tick=pick((0.01, 0.03, 0.06)),
        client=pick((0.05, 0.1, 0.2)),
        fault=pick(theme.fault),
        recover=pick(theme.recover),
        loss=pick((0.0, 0.0, 0.02, 0.1)),
        duplicate=pick((0.0, 0.02, 0.1)),
        late=pick((0.0, 0.0, 0.02, 0.1)),
        window=pick((1, 1, 4, 30)),
        image=pick((0.1, 0.4, 0.9)),
        sync=pick(theme.pace),
        apply=pick(theme.pace),
        seize=pick((0.0, 0.3, 0.7) if theme is ANY else (0.3, 0.7)),
        reads=pick((0.0, 0.3, 0.5)),
        faults=_faults(rng, theme),
        moments=_moments(rng, theme),
    )


def _faults(rng: random.Random, theme: Theme) -> tuple[str, ...]:
    """The faults of a seed, each as often as it weighs; those outside of a theme weigh one."""
    chance = 0.2 if theme.faults else 0.6
    weights = {fault: theme.faults.get(fault) or int(rng.random() < chance) for fault in FAULTS}
    return tuple(fault for fault in FAULTS for _ in range(weights[fault])) or ("crash",)


def _moments(rng: random.Random, theme: Theme) -> tuple[str, ...]:
    chance = 0.2 if theme.moments else 0.6
    return tuple(one for one in MOMENTS if one in theme.moments or rng.random() < chance)
