"""Choosing a free address out of a range, and the keys that make it taken. Pure module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.control.registry.drafts import Situation
from holdfast.control.store.commands import ABSENT, ANY, Key, Write

RANDOM_TRIES = 16


@dataclass(frozen=True, slots=True)
class Pool:
    """Addresses 0 … size-1 under one internal resource.

    name: the n-th address as text. preferred_from: chosen from here on as long as one is free
    there. ordered: one behind another instead of a random one.
    """

    resource: str
    size: int
    name: Callable[[int], str]
    preferred_from: int = 0
    ordered: bool = False

    def key(self, address: str) -> Key:
        """The key whose existence means that the address is taken."""
        return Key(self.resource, "", address)

    def owner(self, situation: Situation, address: str) -> str:
        """Who has it, "services default/web"; "" when it is free."""
        entry = situation.view.get(self.resource, "", address)
        return "" if entry is None else entry.data.decode()

    def take(self, situation: Situation, address: str, owner: str) -> Write:
        """The write that takes it, refused when somebody else was faster."""
        key = self.key(address)
        situation.reserved.add(key)
        situation.fresh.append(key)
        return Write(key, owner.encode(), ABSENT)

    def free(self, situation: Situation, address: str) -> list[Write]:
        """The writes that give it back: one, or none when it is not taken."""
        if not self.owner(situation, address):
            return []
        return [Write(self.key(address), None, ANY)]

    def choose(self, situation: Situation) -> str | None:
        """A free address that no other draft has chosen; None when the range is used up."""
        for number in self._order(situation):
            address = self.name(number)
            taken = situation.view.get(self.resource, "", address) is not None
            if not taken and self.key(address) not in situation.reserved:
                return address
        return None

    def _order(self, situation: Situation) -> Iterator[int]:
        if self.ordered:
            # As many as are taken: behind them all, when none was given back.
            start = min(situation.view.count(self.resource), self.size)
            yield from range(start, self.size)
            yield from range(start)
            return
        preferred = self.size - self.preferred_from
        for _ in range(RANDOM_TRIES):
            yield self.preferred_from + situation.ids.below(preferred)
        start = situation.ids.below(preferred)
        for step in range(preferred):
            yield self.preferred_from + (start + step) % preferred
        yield from range(self.preferred_from)
