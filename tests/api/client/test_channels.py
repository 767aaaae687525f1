"""Which address is in use: turning from one, to a leader, and learning all of them."""

from __future__ import annotations

import pytest

from holdfast.api.client.channels import ADDRESSES_MAX, Channels
from holdfast.api.client.endpoint import Endpoint, token_listener
from holdfast.api.errors import (
    ApiError,
    Reason,
    from_status,
    leader_addresses,
    not_leader,
    to_status,
)

MUTUAL = Endpoint(("a:1", "b:1"), b"ca", b"certificate", b"key")
TOKENS = Endpoint(("a:2",), b"ca")


async def test_turning_goes_round_and_only_once_for_all_who_saw_it() -> None:
    channels = Channels(MUTUAL)
    channels.turn_from("a:1")
    channels.turn_from("a:1")  # somebody else's call on the same connection
    assert channels.address == "b:1"
    channels.turn_from("b:1")
    assert channels.address == "a:1"


async def test_a_leader_that_was_not_known_is_used() -> None:
    channels = Channels(MUTUAL)
    assert channels.turn_to(["c:1"])
    assert channels.address == "c:1"
    assert channels.addresses == ("c:1", "a:1", "b:1")
    assert not channels.turn_to(["c:1"]), "it is in use already"


async def test_a_leader_that_has_just_not_answered_is_not_asked_again() -> None:
    channels = Channels(MUTUAL)
    channels.turn_from("a:1")
    assert not channels.turn_to(["a:1"])
    assert channels.address == "b:1"
    channels.answered("a:1")
    assert channels.turn_to(["a:1"])


async def test_another_listener_of_the_leader_is_tried() -> None:
    channels = Channels(MUTUAL)
    channels.turn_from("a:1")
    assert channels.turn_to(["a:1", "a2:1"])
    assert channels.address == "a2:1"


async def test_token_listeners_are_beside_those_that_are_told() -> None:
    channels = Channels(TOKENS)
    assert channels.turn_to(["b:6444"])
    assert channels.address == "b:6445"
    channels.learn(["a:1", "b:6444"])
    assert channels.addresses == ("a:2", "b:6445")


async def test_what_is_learned_is_told_once_and_given_addresses_stay() -> None:
    channels, told = Channels(MUTUAL), []
    channels.learned = told.append
    channels.learn(["a:1", "b:1"])
    assert told == []
    channels.learn(["b:1", "c:1"])
    channels.learn(["c:1", "b:1"])
    assert told == [("b:1", "c:1", "a:1")], "the one in use works, whatever others say"
    assert channels.addresses == ("c:1", "b:1", "a:1")
    channels.learn([])
    assert channels.addresses == ("c:1", "b:1", "a:1")


async def test_addresses_are_bounded() -> None:
    channels = Channels(MUTUAL)
    channels.learn([f"h{number}:1" for number in range(100)])
    assert channels.count == ADDRESSES_MAX


@pytest.mark.parametrize(
    ("address", "beside"),
    [("h:6444", "h:6445"), ("[::1]:1", "[::1]:2"), ("unix:/a", "unix:/a"), ("h", "h")],
)
def test_where_the_token_listener_is(address: str, beside: str) -> None:
    assert token_listener(address) == beside


def test_a_leader_travels_in_the_status() -> None:
    error = from_status(to_status(not_leader('control node "b" leads', ["b:1", "b2:1"])))
    assert error.reason is Reason.NOT_LEADER
    assert leader_addresses(error) == ("b:1", "b2:1")
    assert leader_addresses(ApiError(Reason.NOT_LEADER, "nobody leads")) == ()
