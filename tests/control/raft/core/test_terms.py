"""Raft 5.1: terms are a logical clock; whoever sees a newer one follows it."""

from __future__ import annotations

import pytest

from holdfast.control.raft.messages import ConfState, HardState, Message, MessageType
from holdfast.control.raft.node import Role
from tests.control.raft.core.groups import Group, node_with, storage_with


def _in_role(role: Role) -> Group:
    group = Group(3, pre_vote=role is Role.PRE_CANDIDATE)
    if role is Role.LEADER:
        group.elect(1)
    elif role is not Role.FOLLOWER:
        group.isolate(1)
        group.elect(1)
    assert group.role(1) is role
    return group


@pytest.mark.parametrize("role", list(Role))
def test_a_newer_term_makes_a_follower_of_its_leader(role: Role) -> None:
    node = _in_role(role).nodes[1]
    node.step(Message(MessageType.APP, to=1, sender=2, term=7))
    assert (node.raft.role, node.raft.term, node.raft.leader) == (Role.FOLLOWER, 7, 2)


@pytest.mark.parametrize("role", list(Role))
def test_a_newer_term_of_a_candidate_names_no_leader(role: Role) -> None:
    node = _in_role(role).nodes[1]
    node.step(Message(MessageType.VOTE, to=1, sender=2, term=7, index=9, log_term=6))
    assert (node.raft.role, node.raft.term, node.raft.leader) == (Role.FOLLOWER, 7, 0)
    assert node.raft.vote == 2


@pytest.mark.parametrize("kind", [MessageType.APP, MessageType.HEARTBEAT, MessageType.VOTE])
def test_an_older_term_changes_nothing(kind: MessageType) -> None:
    node = node_with(storage_with(ConfState((1, 2, 3)), (1,), HardState(term=3)))
    node.step(Message(kind, to=1, sender=2, term=2, index=1, log_term=1, commit=1))
    assert node.raft.leader == 0
    assert node.raft.hard_state == HardState(3, 0, 0)
    assert not node.has_ready()


@pytest.mark.parametrize("kind", [MessageType.APP, MessageType.HEARTBEAT])
@pytest.mark.parametrize("option", ["check_quorum", "pre_vote"])
def test_an_old_leader_hears_of_the_newer_term(kind: MessageType, option: str) -> None:
    storage = storage_with(ConfState((1, 2, 3)), (1,), HardState(term=3))
    node = node_with(storage, **{option: True})
    node.step(Message(kind, to=1, sender=2, term=2))
    (answer,) = node.ready().messages
    assert (answer.type, answer.to, answer.term) == (MessageType.APP_RESP, 2, 3)


def test_an_old_pre_vote_is_refused_in_the_newer_term() -> None:
    node = node_with(storage_with(ConfState((1, 2, 3)), (1,), HardState(term=3)), pre_vote=True)
    node.step(Message(MessageType.PRE_VOTE, to=1, sender=2, term=2))
    (answer,) = node.ready().messages
    assert (answer.type, answer.term, answer.reject) == (MessageType.PRE_VOTE_RESP, 3, True)


def test_a_node_begins_as_a_follower_of_nobody() -> None:
    node = node_with(storage_with(ConfState((1, 2, 3))))
    assert node.status().soft_state == (0, Role.FOLLOWER)
    assert not node.has_ready()


@pytest.mark.parametrize("kind", [MessageType.HEARTBEAT_RESP, MessageType.TIMEOUT_NOW])
@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.PRE_CANDIDATE])
def test_what_a_role_has_no_use_for_is_ignored(kind: MessageType, role: Role) -> None:
    node = _in_role(role).nodes[1]
    before = node.status()
    node.step(Message(kind, to=1, sender=2, term=node.raft.term))
    assert node.status() == before
