"""Nodes by what rules look at: their sort (cordon and taints) and the values of their labels.

Most nodes of a cluster are alike in both, so a rule is judged once for all that are, and numpy
spreads the answer. A label gets its column when a pod first asks about it. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

NO_NODE = 0
"""The sort of an empty slot."""
COLUMNS_MAX = 64
"""Labels with a column; the one asked about longest ago goes."""
ABSENT = 0
"""The code of a label that a node does not have."""

Codes = npt.NDArray[np.int64]
Slots = npt.NDArray[np.intp]
Sort = tuple[bool, tuple[tuple[str, str, str], ...]]


class NodeSorts:
    """Numbers the sorts of nodes from 1. examples: one node of each, of sort 1 first.

    There are as many as combinations of taints were ever there: few, as they are set by people.
    """

    def __init__(self) -> None:
        self.examples: list[core.Node] = []
        self._numbers: dict[Sort, int] = {}

    def of(self, node: core.Node) -> int:
        """The sort of a node."""
        taints = tuple((each.key, each.value, each.effect) for each in node.spec.taints)
        sort = (node.spec.unschedulable, taints)
        number = self._numbers.get(sort)
        if number is None:
            self.examples.append(node)
            number = self._numbers[sort] = len(self.examples)
        return number


class LabelColumns:
    """For each label asked about, every slot's value as a code. labels: of each slot, shared
    with the table, which tells of every change."""

    def __init__(self, labels: Sequence[dict[str, str]]) -> None:
        self._labels = labels
        self._codes: dict[str, dict[str, int]] = {}
        self._columns: dict[str, Codes] = {}

    def changed(self, slot: int) -> None:
        """The labels of a slot are others now."""
        for key, column in self._columns.items():
            if slot < len(column):
                column[slot] = self._code(key, slot)

    def equal(self, key: str, value: str) -> npt.NDArray[np.bool_]:
        """Which slots have this value of a label."""
        column = self._column(key)
        found: npt.NDArray[np.bool_] = column == self._codes[key].get(value, -1)
        return found

    def groups(self, keys: Sequence[str] | None, slots: Slots) -> tuple[Slots, Slots]:
        """Slots with equal values of all keys: the index (into `slots`) of one of each group, and
        for every slot its group. None: each slot is a group of its own."""
        if keys is None:
            alone = np.arange(len(slots))
            return alone, alone
        joined = np.zeros(len(slots), np.int64)
        for key in keys:
            codes = self._column(key)[slots]
            _, joined = np.unique(joined * (len(self._codes[key]) + 1) + codes, return_inverse=True)
        _, first, group = np.unique(joined, return_index=True, return_inverse=True)
        return first, group

    def _column(self, key: str) -> Codes:
        column = self._columns.pop(key, None)
        if column is None or len(column) != len(self._labels):
            self._codes[key] = {}
            column = np.array(
                [self._code(key, slot) for slot in range(len(self._labels))], np.int64
            )
        self._columns[key] = column
        if len(self._columns) > COLUMNS_MAX:
            oldest = next(iter(self._columns))
            del self._columns[oldest], self._codes[oldest]
        return column

    def _code(self, key: str, slot: int) -> int:
        value = self._labels[slot].get(key)
        if value is None:
            return ABSENT
        codes = self._codes[key]
        return codes.setdefault(value, len(codes) + 1)
