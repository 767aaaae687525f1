"""A ticket is good for one node, once, for ten seconds."""

from __future__ import annotations

import pytest

from holdfast.api.errors import ApiError, Reason
from holdfast.control.sessions.tickets import LIFETIME_S, OUTSTANDING_MAX, Tickets


def _refused(tickets: Tickets[str], ticket_id: bytes, node: str, now: float) -> bool:
    with pytest.raises(ApiError) as caught:
        tickets.redeem(ticket_id, node, now)
    return caught.value.reason is Reason.FORBIDDEN


def test_a_ticket_is_used_up() -> None:
    tickets: Tickets[str] = Tickets()
    tickets.issue(b"a", "n1", "waiter", 0.0)
    assert tickets.redeem(b"a", "n1", 1.0) == "waiter"
    assert _refused(tickets, b"a", "n1", 1.0)


def test_another_node_can_neither_use_nor_spoil_it() -> None:
    tickets: Tickets[str] = Tickets()
    tickets.issue(b"a", "n1", "waiter", 0.0)
    assert _refused(tickets, b"a", "n2", 1.0)
    assert _refused(tickets, b"a", "", 1.0)
    assert tickets.redeem(b"a", "n1", 1.0) == "waiter"


def test_it_expires_and_can_be_withdrawn() -> None:
    tickets: Tickets[str] = Tickets()
    tickets.issue(b"a", "n1", "waiter", 0.0)
    assert _refused(tickets, b"a", "n1", LIFETIME_S)
    tickets.issue(b"b", "n1", "waiter", 0.0)
    tickets.withdraw(b"b")
    tickets.withdraw(b"b")
    assert _refused(tickets, b"b", "n1", 0.0)


def test_there_is_a_bound_which_expired_ones_do_not_count_against() -> None:
    tickets: Tickets[str] = Tickets()
    for number in range(OUTSTANDING_MAX):
        tickets.issue(number.to_bytes(16, "big"), "n1", "waiter", 0.0)
    with pytest.raises(ApiError) as caught:
        tickets.issue(b"one too many", "n1", "waiter", 1.0)
    assert caught.value.reason is Reason.TOO_MANY_REQUESTS
    tickets.issue(b"later", "n1", "waiter", LIFETIME_S)
    assert tickets.redeem(b"later", "n1", LIFETIME_S) == "waiter"
