"""The pods that wait for a node: ready to be tried, put aside because they fit nowhere, or held
back after a refused binding.

Pods that fit nowhere are kept by shape: when the cluster changes, one look a shape tells whether
any of them can go. A pod is in one place only. Pods are tried in the order they came. Pure module.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.control.scheduler.placement import Pending
    from holdfast.control.scheduler.shapes import Shape
    from holdfast.control.scheduler.table import PodKey

BACKOFF_BASE_S = 0.05
BACKOFF_MAX_S = 10.0
RELEASED_MAX = 500
"""Pods of one shape tried at once after a change; the rest when those went."""


@dataclass(slots=True)
class Aside:
    """The pods of one shape that fit nowhere. text: what they were told, at Unix seconds."""

    pods: dict[PodKey, Pending] = field(default_factory=dict)
    text: str = ""
    told_at: float = 0.0


class PodQueue:
    """The waiting pods."""

    def __init__(self) -> None:
        self._ready: dict[PodKey, Pending] = {}
        self._aside: dict[Shape, Aside] = {}
        self._shape_of: dict[PodKey, Shape] = {}  # of the pods put aside
        self._held: dict[PodKey, tuple[Pending, float]] = {}
        self._heap: list[tuple[float, PodKey]] = []  # of _held; a row that contradicts it is stale
        self._refusals: dict[PodKey, int] = {}

    def __len__(self) -> int:
        return len(self._ready) + len(self._shape_of) + len(self._held)

    @property
    def ready(self) -> int:
        """Pods that can be tried now."""
        return len(self._ready)

    @property
    def aside(self) -> dict[Shape, Aside]:
        """The pods that fit nowhere, by shape."""
        return self._aside

    def offer(self, pod: Pending) -> None:
        """A pod waits. Known already: it keeps its place, unless it asks for something else."""
        key = pod.key
        if key in self._ready:
            self._ready[key] = pod
        elif key in self._held and self._held[key][0].uid == pod.uid:
            self._held[key] = (pod, self._held[key][1])
        elif self._shape_of.get(key) is pod.shape:
            self._aside[pod.shape].pods[key] = pod
        else:
            self.withdraw(key)
            self._ready[key] = pod

    def withdraw(self, key: PodKey) -> None:
        """The pod waits no more."""
        self._ready.pop(key, None)
        self._held.pop(key, None)
        self._refusals.pop(key, None)
        self._leave_aside(key)

    def take(self, count: int, now: float) -> list[Pending]:
        """The next pods to try, out of the queue."""
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            held = self._held.get(key)
            if held is not None and held[1] == when:
                del self._held[key]
                self._ready[key] = held[0]
        keys = (
            list(self._ready)[:count] if len(self._ready) <= count else _first(self._ready, count)
        )
        return [self._ready.pop(key) for key in keys]

    def put_aside(self, pod: Pending, text: str, now: float) -> bool:
        """The pod fits nowhere. Returns whether this is news for pods of its shape."""
        aside = self._aside.setdefault(pod.shape, Aside())
        aside.pods[pod.key] = pod
        self._shape_of[pod.key] = pod.shape
        news = aside.text != text
        aside.text = text
        if news:
            aside.told_at = now
        return news

    def release(self, shape: Shape) -> int:
        """Try pods of a shape again; returns how many."""
        keys = _first(self._aside[shape].pods, RELEASED_MAX)
        for key in keys:
            self._ready[key] = self._aside[shape].pods[key]
            self._leave_aside(key)
        return len(keys)

    def refuse(self, pod: Pending, now: float) -> None:
        """The pod's binding was refused: try again, later each time."""
        refusals = self._refusals.get(pod.key, 0)
        self._refusals[pod.key] = refusals + 1
        when = now + min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** min(refusals, 16))
        self._held[pod.key] = (pod, when)
        heapq.heappush(self._heap, (when, pod.key))

    def deadline(self) -> float | None:
        """When a held pod becomes ready; None = none is held."""
        while self._heap:
            when, key = self._heap[0]
            held = self._held.get(key)
            if held is not None and held[1] == when:
                return when
            heapq.heappop(self._heap)
        return None

    def _leave_aside(self, key: PodKey) -> None:
        shape = self._shape_of.pop(key, None)
        if shape is None:
            return
        aside = self._aside[shape]
        del aside.pods[key]
        if not aside.pods:
            del self._aside[shape]


def _first(pods: dict[PodKey, Pending], count: int) -> list[PodKey]:
    return [key for key, _ in zip(pods, range(count), strict=False)]
