"""The second opinion on R: linearizability of each key by itself (Wing and Gong; Lowe).

Searches for an order of the operations that real time allows and a register allows. Calls and
returns stand in a linked list by time; an operation may come next when its call is before the
first return left. A place that was tried (which operations are done, and the register) is not
tried again. Operations without an answer may come at any time after their call, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

TRIES_MAX = 200_000


@dataclass(slots=True)
class Call:
    """One operation on one key. returned None: never answered."""

    invoked: float
    returned: float | None
    what: Any


class _Node:
    """A call or a return in the list."""

    __slots__ = ("bit", "call", "next", "partner", "previous")

    def __init__(self, call: Call | None, bit: int) -> None:
        self.call, self.bit = call, bit
        self.partner: _Node | None = None  # of a call: its return, if it has one
        self.next: _Node | None = None
        self.previous: _Node | None = None

    def lift(self) -> None:
        """Take it out of the list."""
        assert self.previous
        self.previous.next = self.next
        if self.next:
            self.next.previous = self.previous

    def put_back(self) -> None:
        """Undo `lift`, in reverse order of lifting."""
        assert self.previous
        self.previous.next = self
        if self.next:
            self.next.previous = self


def _listed(calls: Sequence[Call]) -> _Node:
    """The list; calls stand before returns of the same moment: those overlap."""
    nodes: list[tuple[float, int, int, _Node]] = []
    for at, call in enumerate(calls):
        node = _Node(call, 1 << at)
        nodes.append((call.invoked, 0, at, node))
        if call.returned is not None:
            node.partner = _Node(None, 1 << at)
            nodes.append((call.returned, 1, at, node.partner))
    head = last = _Node(None, 0)
    for *_, node in sorted(nodes, key=lambda one: one[:3]):
        last.next, node.previous, last = node, last, node
    return head


def linearizable(
    calls: Sequence[Call], start: Hashable, step: Callable[[Any, Any], Hashable | None]
) -> bool | None:
    """Is there an order? step: the register after an operation, None = not possible so. None:
    given up after TRIES_MAX."""
    head = _listed(calls)
    left = sum(call.returned is not None for call in calls)
    state, done = start, 0
    tried: set[tuple[int, Hashable]] = set()
    stack: list[tuple[_Node, Hashable]] = []
    node = head.next
    for _ in range(TRIES_MAX):
        if not left:
            return True
        if node is not None and node.call is not None:
            after = step(state, node.call.what)
            place = (done | node.bit, after)
            if after is None or place in tried:
                node = node.next
                continue
            tried.add(place)
            stack.append((node, state))
            state, done = after, place[0]
            node.lift()
            if node.partner:
                node.partner.lift()
                left -= 1
            node = head.next
            continue
        if not stack:
            return False
        node, state = stack.pop()
        done ^= node.bit
        if node.partner:
            node.partner.put_back()
            left += 1
        node.put_back()
        node = node.next
    return None
