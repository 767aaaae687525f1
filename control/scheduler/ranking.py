"""The nodes ranked for one shape, mended entry by entry.

One vector of scores, -inf where the pod cannot go. A new shape costs one pass over all nodes; after
that a placement changes one entry, and choosing is one argmax. Equal nodes differ by a tiny
random part drawn once a shape, so that ties do not all fall on the first node. Pure module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from holdfast.api.objects import affinity
from holdfast.control.scheduler import filters, scores
from holdfast.control.scheduler.columns import NO_NODE

if TYPE_CHECKING:
    import numpy.typing as npt

    from holdfast.control.scheduler.shapes import Shape
    from holdfast.control.scheduler.table import NodeTable

NEVER = -np.inf
ONE_BY_ONE_MAX = 16
"""Changed entries mended singly; more are mended together."""
TIE_BREAK = 1e-3


class Ranking:
    """The ranking of one shape over one table. rng: draws the tie-breaks."""

    def __init__(self, shape: Shape, table: NodeTable, rng: np.random.Generator) -> None:
        self.shape = shape
        self._table = table
        self._rng = rng
        self._reasons: dict[str, int] = {"": 0}  # reason → its code
        self._build()

    def best(self) -> int:
        """The slot of the best node, -1 when none can take the pod."""
        self._mend()
        slot = int(self._score.argmax())
        return slot if self._score[slot] > NEVER else -1

    def reasons(self) -> Counter[str]:
        """Why no node can take it: reason → number of nodes. Costs a pass over all nodes."""
        self._mend()
        found: Counter[str] = Counter()
        live = np.flatnonzero(self._table.sort != NO_NODE)
        codes = np.bincount(self._why[live], minlength=len(self._reasons))
        for reason, code in self._reasons.items():
            if reason and codes[code]:
                found[reason] += int(codes[code])
        left = live[self._why[live] == 0]
        if self.shape.ports:
            free = [filters.has_ports(self.shape, self._table, int(slot)) for slot in left]
            blocked = len(left) - sum(free)
            if blocked:
                found[filters.PORTS] += blocked
            left = left[np.array(free, bool)]
        for resource, amount in self.shape.requests.items():
            row = self._table.rows.get(resource)
            short = len(left) if row is None else int((self._table.free[row, left] < amount).sum())
            if short:
                found[filters.shortage(resource)] += short
        return found

    def _build(self) -> None:
        """Judge every node anew: once a sort of nodes, then, where the shape asks for labels,
        once a combination of their values."""
        table, shape = self._table, self.shape
        self._position = table.position
        size = table.capacity
        reasons = [self._code("no such node")]
        parts = [0.0]
        for node in table.sorts.examples:
            reasons.append(self._code(filters.rule_of_sort(shape, node)))
            parts.append(scores.of_sort(shape, node))
        self._why = np.array(reasons, np.int32)[table.sort]
        self._jitter = self._rng.random(size) * TIE_BREAK
        self._base = np.array(parts)[table.sort] + self._jitter
        self._crowded = np.full(size, scores.spread(0) if shape.owner else 0.0)
        crowd = table.crowd(shape.owner)
        there = np.fromiter(crowd, np.intp, len(crowd))
        counts = np.fromiter(crowd.values(), np.float64, len(crowd))
        self._crowded[there] = scores.SPREAD_WEIGHT / (1 + counts)
        if shape.chooses:
            self._choose()
        self._score = np.full(size, NEVER)
        self._rescore(np.flatnonzero(self._why == 0))

    def _choose(self) -> None:
        """Apply node selector and affinity to the nodes that are left."""
        table, spec = self._table, self.shape.spec
        wanted = spec.affinity.nodeAffinity
        names = filters.named_nodes(spec)
        if names is not None:
            left = self._why == 0
            self._why[left] = self._code(filters.AFFINITY)
            for slot in [table.slots[name] for name in names if name in table.slots]:
                self._judge(slot)
            return
        for key, value in spec.nodeSelector.items():
            self._refuse(~table.labels.equal(key, value))
        if wanted.HasField("requiredDuringSchedulingIgnoredDuringExecution"):
            terms = wanted.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
            able = self._by_labels(filters.keys(terms), self._allows)
            self._refuse(able == 0)
        wishes = wanted.preferredDuringSchedulingIgnoredDuringExecution
        if wishes:
            terms_ = [wish.preference for wish in wishes]
            self._base += self._by_labels(filters.keys(terms_), self._wishes)

    def _refuse(self, those: npt.NDArray[np.bool_]) -> None:
        self._why[those & (self._why == 0)] = self._code(filters.AFFINITY)

    def _by_labels(
        self, keys: list[str] | None, judge: Callable[[int], float]
    ) -> npt.NDArray[np.float64]:
        """`judge` of every node that is left, called once for nodes with equal labels `keys`
        (None: once a node); 0 for the others."""
        found = np.zeros(len(self._why))
        left = np.flatnonzero(self._why == 0)
        first, group = self._table.labels.groups(keys, left)
        found[left] = np.array([judge(int(left[index])) for index in first])[group]
        return found

    def _allows(self, slot: int) -> float:
        node = self._table.nodes[slot]
        assert node is not None
        labels = self._table.node_labels[slot]
        return float(affinity.allows(self.shape.spec, labels, node.metadata.name))

    def _wishes(self, slot: int) -> float:
        node = self._table.nodes[slot]
        assert node is not None
        return scores.wishes(self.shape, node, self._table.node_labels[slot])

    def _judge(self, slot: int) -> None:
        """The part that follows from the node's own state."""
        node = self._table.nodes[slot]
        if node is None:
            self._why[slot] = self._code("no such node")
            return
        labels = self._table.node_labels[slot]
        self._why[slot] = self._code(filters.rule(self.shape, node, labels))
        self._base[slot] = scores.own(self.shape, node, labels) + self._jitter[slot]

    def _code(self, reason: str) -> int:
        return self._reasons.setdefault(reason, len(self._reasons))

    def _mend(self) -> None:
        """Catch up with the table's log."""
        table = self._table
        if self._position == table.position:
            return
        changes = table.changes(self._position)
        if changes is None or table.capacity != len(self._score):
            self._build()
            return
        self._position = table.position
        slots = dict.fromkeys(change.slot for change in changes)
        for slot in dict.fromkeys(change.slot for change in changes if change.rules):
            self._judge(slot)
        crowd = table.crowd(self.shape.owner)
        for slot in slots if self.shape.owner else ():
            self._crowded[slot] = scores.spread(crowd.get(slot, 0))
        if len(slots) > ONE_BY_ONE_MAX:
            self._rescore(np.fromiter(slots, np.intp, len(slots)))
        else:
            for slot in slots:
                self._rescore_one(slot)

    def _rescore(self, slots: npt.NDArray[np.intp]) -> None:
        table, shape = self._table, self.shape
        able = self._why[slots] == 0
        for resource, amount in shape.requests.items():
            row = table.rows.get(resource)
            if row is None:
                able[:] = False
            else:
                able &= table.free[row, slots] >= amount
        score = scores.use(shape, table, slots) + self._base[slots] + self._crowded[slots]
        self._score[slots] = np.where(able, score, NEVER)
        if shape.ports:
            for slot in table.ports:
                if not filters.has_ports(shape, table, slot):
                    self._score[slot] = NEVER

    def _rescore_one(self, slot: int) -> None:
        table, shape = self._table, self.shape
        if self._why[slot] or not filters.fits(shape, table, slot):
            self._score[slot] = NEVER
            return
        use = scores.use_of_one(shape, table, slot)
        self._score[slot] = use + self._base[slot] + self._crowded[slot]


class Rankings:
    """The rankings of the shapes that were placed lately, at most KEPT_MAX."""

    KEPT_MAX = 64

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._kept: dict[Shape, Ranking] = {}

    def of(self, shape: Shape, rng: np.random.Generator) -> Ranking:
        """The ranking of a shape."""
        ranking = self._kept.pop(shape, None) or Ranking(shape, self._table, rng)
        self._kept[shape] = ranking
        if len(self._kept) > self.KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return ranking
