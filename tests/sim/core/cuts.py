"""Shapes in which the network of the core tier comes apart; links are one-way.

Every function says which links are cut, and does nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from holdfast.control.raft.messages import ConfState

Link = tuple[int, int]


def apart(ids: Sequence[int], side: Collection[int]) -> list[Link]:
    """A side here, everybody else there."""
    return [(a, b) for a in ids for b in ids if (a in side) != (b in side)]


def alone(ids: Sequence[int], one: int) -> list[Link]:
    """One member that hears nobody, nor is heard."""
    return [(a, b) for a in ids for b in ids if a != b and one in (a, b)]


def half_deaf(ids: Sequence[int], one: int, rng: random.Random) -> list[Link]:
    """Each link of one member in one direction only."""
    every = [(a, b) for a in ids for b in ids if a != b]
    return [link for link in every if link[rng.randrange(2)] == one]


def chain(ids: Sequence[int]) -> list[Link]:
    """Everybody hears their neighbours only."""
    return [(a, b) for a in ids for b in ids if abs(a - b) > 1]


def torn(ids: Sequence[int], rng: random.Random) -> list[Link]:
    """Any links at all."""
    return [(a, b) for a in ids for b in ids if a != b and rng.random() < 0.4]


def faction(voters: Sequence[int], order: Callable[[int], tuple[float, ...]]) -> list[int]:
    """A bare majority of these voters, those with the least of an order first."""
    return sorted(voters, key=order)[: len(voters) // 2 + 1]


def decides(conf: ConfState, members: Collection[int]) -> bool:
    """These members have a majority in a configuration, of both halves of a joint one."""
    halves = [half for half in (conf.voters, conf.voters_outgoing) if half]
    return all(sum(one in members for one in half) > len(half) // 2 for half in halves)
