"""Placing a batch of pods: each on the best node that can take it, or the reason why none can.

    placed = place(view, pods, rng)

A pod placed counts for the next one at once. Promise I4: what is placed on a node never exceeds
its allocatable. Pure module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from holdfast.control.scheduler.ranking import Rankings
from holdfast.control.scheduler.table import NodeTable, PodKey

if TYPE_CHECKING:
    import numpy as np

    from holdfast.control.scheduler.shapes import Shape


class Pending(NamedTuple):
    """A pod without a node."""

    key: PodKey
    uid: str
    shape: Shape


class Binding(NamedTuple):
    """A pod and the node it goes to."""

    pod: Pending
    node: str


class Failure(NamedTuple):
    """Why a pod fits nowhere: how many nodes there are, and reason → number of nodes."""

    nodes: int
    reasons: Counter[str]

    @property
    def message(self) -> str:
        """The sentence Kubernetes writes: `0/5 nodes are available: 2 Insufficient cpu, …`."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        parts = sorted(f"{count} {reason}" for reason, count in self.reasons.items())
        return f"0/{self.nodes} nodes are available: {', '.join(parts)}."


@dataclass(slots=True)
class Placement:
    """The outcome of a batch."""

    bindings: list[Binding] = field(default_factory=list)
    failures: list[tuple[Pending, Failure]] = field(default_factory=list)


class PlacementView:
    """What placement works on: the table and the rankings over it."""

    def __init__(self) -> None:
        self.table = NodeTable()
        self.rankings = Rankings(self.table)


def place(view: PlacementView, pods: Sequence[Pending], rng: np.random.Generator) -> Placement:
    """Give each pod a node, in order. The view counts what is placed; `table.forget` takes it
    back. Pods of a shape that found no node fail together: a batch only takes."""
    placement = Placement()
    failed: dict[Shape, Failure] = {}
    names = view.table.nodes
    for pod in pods:
        failure = failed.get(pod.shape)
        if failure is None:
            ranking = view.rankings.of(pod.shape, rng)
            slot = ranking.best()
            node = names[slot] if slot >= 0 else None
            if node is not None:
                name = node.metadata.name
                view.table.assume(pod.key, name, pod.shape)
                placement.bindings.append(Binding(pod, name))
                continue
            failure = Failure(len(view.table), ranking.reasons())
            failed[pod.shape] = failure
        placement.failures.append((pod, failure))
    return placement
