"""How many replicas each set of a Deployment gets next: arithmetic over plain numbers.

Three situations: the Deployment's own size changed (`scaled`: every set in proportion), a new
template rolls out (`rolled`), or the old pods must all be gone first (`recreated`). A promise of
`rolled`, at any moment: at most replicas + surge pods in all, and it takes away nothing that
would leave fewer than replicas - unavailable available ones. Pure module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Set(NamedTuple):
    """One ReplicaSet. replicas: asked for; available: there; created: its place in time.

    sized_for: the Deployment's replicas + surge when it was last sized (annotation
    max-replicas), 0 = unknown.
    """

    name: str
    replicas: int
    available: int
    created: int
    sized_for: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the Deployment asks for. surge, unavailable: resolved to pods by `bounds`."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def pods_max(self) -> int:
        """Pods in all while it changes."""
        return self.replicas + self.surge if self.replicas else 0

    @property
    def available_min(self) -> int:
        """Pods that stay available while it changes."""
        return self.replicas - self.unavailable


Sizes = dict[str, int]
"""Name of a set → its new number of replicas; only those that change."""


def bounds(replicas: int, surge: int, unavailable: int) -> Wish:
    """The wish from maxSurge and maxUnavailable in pods: both 0 would never move, so that one
    pod may be missing then; no more can be missing than there are."""
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Wish(replicas, surge, min(unavailable, replicas))


def rolled(wish: Wish, new: Set, olds: Sequence[Set]) -> Sizes:
    """One step of a rolling update: the new set up first; when it cannot, the old ones down."""
    grown = grow(wish, new, olds)
    if grown != new.replicas:
        return {new.name: grown}
    return _shrunk(wish, new, olds)


def grow(wish: Wish, new: Set, olds: Sequence[Set]) -> int:
    """The size the new set may have now."""
    if new.replicas >= wish.replicas:
        return wish.replicas
    room = wish.pods_max - new.replicas - sum(old.replicas for old in olds)
    return new.replicas + max(0, min(room, wish.replicas - new.replicas))


def recreated(wish: Wish, new: Set | None, olds: Sequence[Set], old_pods_left: bool) -> Sizes:
    """One step of a recreation: the old ones to nothing, then, when their pods are gone, all of
    the new ones."""
    going = {old.name: 0 for old in olds if old.replicas}
    if going or old_pods_left or new is None or new.replicas == wish.replicas:
        return going
    return {new.name: wish.replicas}


def scaled(wish: Wish, new: Set | None, olds: Sequence[Set], *, rolling: bool) -> Sizes:
    """The sizes after the Deployment's replicas (or surge) changed."""
    every = [*olds, *([new] if new else [])]
    active = [each for each in every if each.replicas]
    if len(active) <= 1:
        only = active[0] if active else new or max(every, key=_age, default=None)
        return {} if only is None or only.replicas == wish.replicas else {only.name: wish.replicas}
    if new and new.replicas == wish.replicas == new.available:
        return {old.name: 0 for old in olds if old.replicas}
    return _in_proportion(wish, active) if rolling else {}


def _age(each: Set) -> tuple[int, str]:
    return (each.created, each.name)


def _shrunk(wish: Wish, new: Set, olds: Sequence[Set]) -> Sizes:
    """The old sets down: what is not available first, then what is more than enough."""
    total = new.replicas + sum(old.replicas for old in olds)
    spare = total - wish.available_min - max(0, new.replicas - new.available)
    if spare <= 0:
        return {}
    sizes: Sizes = {}
    left = []
    for old in sorted(olds, key=_age):
        unhealthy = min(spare, max(0, old.replicas - old.available))
        spare -= unhealthy
        if unhealthy:
            sizes[old.name] = old.replicas - unhealthy
        left.append(old._replace(replicas=old.replicas - unhealthy))
    surplus = new.available + sum(old.available for old in olds) - wish.available_min
    for old in left:
        step = max(0, min(surplus, old.replicas))
        surplus -= step
        if step:
            sizes[old.name] = old.replicas - step
    return sizes


def _in_proportion(wish: Wish, active: Sequence[Set]) -> Sizes:
    """Spread the change over the active sets by their size; what rounding leaves goes to the
    largest that can bear it (the newest of equals when growing, the oldest when shrinking)."""
    total = sum(each.replicas for each in active)
    left = wish.pods_max - total
    newer_first = -1 if left > 0 else 1
    ordered = sorted(active, key=lambda each: (-each.replicas, newer_first * each.created))
    after: Sizes = {}
    for each in ordered:
        part = _share(wish, each, total, left)
        after[each.name] = each.replicas + part
        left -= part
    for each in ordered:
        rest = max(left, -after[each.name])
        after[each.name] += rest
        left -= rest
    return {each.name: after[each.name] for each in active if after[each.name] != each.replicas}


def _share(wish: Wish, each: Set, total: int, left: int) -> int:
    """One set's part of a change, rounded to the nearest, no more than is left of it."""
    if not wish.replicas:
        return -each.replicas
    before = each.sized_for or total
    part = (2 * each.replicas * wish.pods_max + before) // (2 * before) - each.replicas
    return min(max(part, 0), left) if left > 0 else max(min(part, 0), left)
