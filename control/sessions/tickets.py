"""Tickets: the right to dial back one stream, for one verb on one pod, once, within ten seconds.

The control node draws one for each logs or exec that a client asks for and sends it down the
session of the pod's node; only that node can redeem it. So no stream to a node is ever opened with
rights of its own, and a client's bytes reach only the one pod they were authorised for (promise
I9). Pure module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from holdfast.api.errors import ApiError, Reason

LIFETIME_S = 10.0
TICKET_BYTES = 16
OUTSTANDING_MAX = 1000

Waiter = TypeVar("Waiter")


@dataclass(slots=True)
class Tickets(Generic[Waiter]):
    """The tickets that are out: id → (node, expiry, who waits for the stream)."""

    _out: dict[bytes, tuple[str, float, Waiter]] = field(default_factory=dict)

    def issue(self, ticket_id: bytes, node: str, waiter: Waiter, now: float) -> None:
        """Note a ticket. ticket_id: TICKET_BYTES random bytes; now: seconds, monotonic.

        Raises ApiError (TooManyRequests) when too many are out.
        """
        if len(self._out) >= OUTSTANDING_MAX:
            self._expire(now)
        if len(self._out) >= OUTSTANDING_MAX:
            raise ApiError(
                Reason.TOO_MANY_REQUESTS,
                f"{OUTSTANDING_MAX} streams wait for their nodes: try again",
                retry_after_s=int(LIFETIME_S),
            )
        self._out[ticket_id] = (node, now + LIFETIME_S, waiter)

    def redeem(self, ticket_id: bytes, node: str, now: float) -> Waiter:
        """Use a ticket up. Raises ApiError (Forbidden): unknown, used, expired, or of another
        node, which are not told apart; another node's attempt does not use it up."""
        found = self._out.get(ticket_id)
        if found is None or found[0] != node or found[1] <= now:
            raise ApiError(Reason.FORBIDDEN, "this ticket is not good for a stream of this node")
        del self._out[ticket_id]
        return found[2]

    def withdraw(self, ticket_id: bytes) -> None:
        """Nobody waits for the stream any more."""
        self._out.pop(ticket_id, None)

    def _expire(self, now: float) -> None:
        self._out = {key: value for key, value in self._out.items() if now < value[1]}
