"""The cluster as the scheduler counts it: one column a node, one row a resource.

Kept level with the cache by single steps; a placement is counted at once (`assume`), so that the
next pod sees it before it is written. Every change of a node is logged by its slot, and rankings
read that log to mend only the entries that changed. Amounts are int64, in the units of
objects.requests.

Invariant: offered - free of a slot is the sum of the requests of the pods held on that node. Pods
may be held on a node that is not (yet) known: they count once it is. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from holdfast.api.objects.requests import CPU, MEMORY, PODS, STORAGE
from holdfast.control.scheduler.columns import NO_NODE, LabelColumns, NodeSorts
from holdfast.control.scheduler.shapes import Port, Shape, allocatable

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

Ints = npt.NDArray[np.int64]
Sorts = npt.NDArray[np.int32]
PodKey = tuple[str, str]

SLOTS_MIN = 64
LOG_MAX = 16384
"""Changes remembered; a ranking that fell behind looks at every node again."""
AMOUNT_MAX = 1 << 60
"""More than any node has, small enough that sums stay within int64."""


class Change(NamedTuple):
    """One step of the log. rules: labels, taints or the node itself changed, not only its use."""

    slot: int
    rules: bool


class NodeTable:
    """Nodes and what the pods on them use. Slots of nodes that left are used again."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {CPU: 0, MEMORY: 1, STORAGE: 2, PODS: 3}
        self.offered: Ints = np.zeros((4, SLOTS_MIN), np.int64)
        self.free: Ints = np.zeros((4, SLOTS_MIN), np.int64)
        self.nodes: list[core.Node | None] = [None] * SLOTS_MIN
        self.node_labels: list[dict[str, str]] = [{}] * SLOTS_MIN
        self.ports: dict[int, dict[PodKey, tuple[Port, ...]]] = {}
        self.slots: dict[str, int] = {}
        self.labels = LabelColumns(self.node_labels)
        self.sorts = NodeSorts()
        self.sort: Sorts = np.zeros(SLOTS_MIN, np.int32)
        self._idle: list[int] = list(range(SLOTS_MIN - 1, -1, -1))
        self._crowds: dict[str, dict[int, int]] = {}  # owner → slot → its pods there
        self._node_of: dict[PodKey, str] = {}
        self._held: dict[str, dict[PodKey, Shape]] = {}
        self._log: list[Change] = []
        self._log_start = 0

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def capacity(self) -> int:
        """Slots, taken or not: the length of every column."""
        return len(self.nodes)

    @property
    def position(self) -> int:
        """The end of the log."""
        return self._log_start + len(self._log)

    def changes(self, since: int) -> Sequence[Change] | None:
        """The log from a position on; None when that is no longer known."""
        start = since - self._log_start
        return self._log[start:] if start >= 0 else None

    def crowd(self, owner: str) -> dict[int, int]:
        """How many pods of an owner are on which slot."""
        return self._crowds.get(owner, {})

    def node_of(self, pod: PodKey) -> str:
        """The node a pod is held on, "" = none."""
        return self._node_of.get(pod, "")

    def set_node(self, node: core.Node) -> None:
        """Add a node or take its new state."""
        name = node.metadata.name
        slot = self.slots.get(name)
        if slot is None:
            slot = self._take_slot(name)
            for pod, shape in self._held.get(name, {}).items():
                self._count(slot, pod, shape, 1)
        used = self.offered[:, slot] - self.free[:, slot]
        offers = allocatable(node)
        for resource in offers:
            used = self._ensure_row(resource, used)
        column = np.zeros(len(self.rows), np.int64)
        for resource, amount in offers.items():
            column[self.rows[resource]] = min(amount, AMOUNT_MAX)
        self.offered[:, slot] = column
        self.free[:, slot] = column - used
        self.nodes[slot] = node
        self.node_labels[slot] = dict(node.metadata.labels)
        self.labels.changed(slot)
        self.sort[slot] = self.sorts.of(node)
        self._note(Change(slot, rules=True))

    def drop_node(self, name: str) -> None:
        """A node left. Its pods stay held, for when it comes back."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        for pod, shape in self._held.get(name, {}).items():
            self._count(slot, pod, shape, -1)
        self.nodes[slot] = None
        self.node_labels[slot] = {}
        self.labels.changed(slot)
        self.sort[slot] = NO_NODE
        self.offered[:, slot] = 0
        self.free[:, slot] = 0
        self._idle.append(slot)
        self._note(Change(slot, rules=True))

    def assume(self, pod: PodKey, node: str, shape: Shape) -> None:
        """Count a pod on a node; the same again changes nothing."""
        before = self._node_of.get(pod)
        if before == node:
            return
        if before is not None:
            self.forget(pod)
        self._node_of[pod] = node
        self._held.setdefault(node, {})[pod] = shape
        slot = self.slots.get(node)
        if slot is not None:
            self._count(slot, pod, shape, 1)
            self._note(Change(slot, rules=False))

    def forget(self, pod: PodKey) -> bool:
        """Stop counting a pod. Returns whether it was counted."""
        node = self._node_of.pop(pod, None)
        if node is None:
            return False
        shape = self._held[node].pop(pod)
        if not self._held[node]:
            del self._held[node]
        slot = self.slots.get(node)
        if slot is not None:
            self._count(slot, pod, shape, -1)
            self._note(Change(slot, rules=False))
        return True

    def _count(self, slot: int, pod: PodKey, shape: Shape, sign: int) -> None:
        for resource, amount in shape.requests.items():
            if resource not in self.rows:
                self._ensure_row(resource, self.offered[:, slot])
            self.free[self.rows[resource], slot] -= sign * min(amount, AMOUNT_MAX)
        if shape.owner:
            crowd = self._crowds.setdefault(shape.owner, {})
            crowd[slot] = crowd.get(slot, 0) + sign
            if not crowd[slot]:
                del crowd[slot]
            if not crowd:
                del self._crowds[shape.owner]
        if shape.ports:
            taken = self.ports.setdefault(slot, {})
            if sign > 0:
                taken[pod] = shape.ports
            else:
                taken.pop(pod, None)
            if not taken:
                del self.ports[slot]

    def _ensure_row(self, resource: str, used: Ints) -> Ints:
        """Add a row for a resource not heard of before (devices, huge pages)."""
        if resource in self.rows:
            return used
        self.rows[resource] = len(self.rows)
        blank = np.zeros((1, self.capacity), np.int64)
        self.offered = np.concatenate([self.offered, blank])
        self.free = np.concatenate([self.free, blank])
        return np.append(used, 0)

    def _take_slot(self, name: str) -> int:
        if not self._idle:
            more = self.capacity
            self._idle = list(range(2 * more - 1, more - 1, -1))
            blank = np.zeros((len(self.rows), more), np.int64)
            self.offered = np.concatenate([self.offered, blank], axis=1)
            self.free = np.concatenate([self.free, blank], axis=1)
            self.nodes += [None] * more
            self.node_labels += [{}] * more
            self.sort = np.concatenate([self.sort, np.zeros(more, np.int32)])
        slot = self._idle.pop()
        self.slots[name] = slot
        return slot

    def _note(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > LOG_MAX:
            dropped = len(self._log) // 2
            del self._log[:dropped]
            self._log_start += dropped
