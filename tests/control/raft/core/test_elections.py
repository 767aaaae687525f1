"""Raft 5.2 and 5.4.1: who stands, who is voted for, who wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    ConfState,
    Entry,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.node import Role
from tests.control.raft.core.groups import Group, node_with, storage_with


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CANDIDATE])
def test_a_node_that_hears_nothing_stands_in_the_next_term(role: Role) -> None:
    group = Group(3)
    group.isolate(1)
    node = group.nodes[1]
    if role is Role.CANDIDATE:
        group.elect(1)
    term = node.raft.term
    for _ in range(node.raft.randomized_election_timeout - 1):
        node.tick()
        assert node.raft.term == term
    node.tick()
    assert (node.raft.role, node.raft.term, node.raft.vote) == (Role.CANDIDATE, term + 1, 1)
    asked = [m for m in group.round_of(1) if m.type is MessageType.VOTE]
    assert [(m.to, m.term) for m in asked] == [(2, term + 1), (3, term + 1)]


@pytest.mark.parametrize(
    ("size", "votes", "role"),
    [
        (1, {}, Role.LEADER),
        (3, {2: True, 3: True}, Role.LEADER),
        (3, {2: True}, Role.LEADER),
        (3, {2: True, 3: False}, Role.LEADER),
        (3, {2: False}, Role.CANDIDATE),
        (3, {2: False, 3: False}, Role.FOLLOWER),
        (3, {}, Role.CANDIDATE),
        (5, {2: True, 3: True}, Role.LEADER),
        (5, {2: True}, Role.CANDIDATE),
        (5, {2: False, 3: False}, Role.CANDIDATE),
        (5, {2: False, 3: False, 4: False}, Role.FOLLOWER),
        (5, {2: True, 3: False, 4: False, 5: False}, Role.FOLLOWER),
    ],
)
def test_a_majority_elects(size: int, votes: dict[int, bool], role: Role) -> None:
    group = Group(size)
    group.isolate(1)
    node = group.elect(1).nodes[1]
    for voter, granted in votes.items():
        kind = MessageType.VOTE_RESP
        node.step(Message(kind, to=1, sender=voter, term=1, reject=not granted))
        node.step(Message(kind, to=1, sender=voter, term=1, reject=not granted))  # counts once
    assert (node.raft.role, node.raft.term) == (role, 1)


def test_a_vote_of_the_node_itself_counts_once_it_is_durable() -> None:
    storage = storage_with(ConfState((1,)))
    node = node_with(storage)
    node.campaign()
    assert node.raft.role is Role.CANDIDATE
    ready = node.ready()
    assert ready.hard_state == HardState(1, 1, 0)
    assert ready.must_sync
    node.advance()
    assert node.raft.role is Role.LEADER


@pytest.mark.parametrize(
    ("voted", "candidate", "granted"),
    [(0, 2, True), (0, 3, True), (2, 2, True), (3, 3, True), (2, 3, False), (3, 2, False)],
)
def test_one_vote_a_term_first_come_first_served(voted: int, candidate: int, granted: bool) -> None:
    node = node_with(storage_with(ConfState((1, 2, 3)), (), HardState(1, voted, 0)))
    node.step(Message(MessageType.VOTE, to=1, sender=candidate, term=1))
    (answer,) = node.ready().messages
    assert (answer.type, answer.to, answer.term) == (MessageType.VOTE_RESP, candidate, 1)
    assert answer.reject is not granted
    assert node.raft.vote == (candidate if granted else voted)


@pytest.mark.parametrize(("kind", "waits"), [(MessageType.VOTE, 0), (MessageType.PRE_VOTE, 7)])
def test_who_grants_a_vote_gives_the_candidate_time(kind: MessageType, waits: int) -> None:
    node = node_with(storage_with(ConfState((1, 2, 3)), (), HardState(1, 0, 0)))
    for _ in range(7):
        node.tick()
    node.step(Message(kind, to=1, sender=2, term=1))
    assert node.raft.election_elapsed == waits


def test_a_follower_of_a_leader_votes_for_nobody_else_in_that_term() -> None:
    node = node_with(storage_with(ConfState((1, 2, 3))))
    node.step(Message(MessageType.HEARTBEAT, to=1, sender=2, term=1))
    node.step(Message(MessageType.VOTE, to=1, sender=3, term=1))
    assert [m.reject for m in node.ready().messages if m.type is MessageType.VOTE_RESP] == [True]


@pytest.mark.parametrize(
    ("ours", "index", "term", "granted"),
    [
        ((1,), 1, 1, True),
        ((1,), 2, 1, True),
        ((1, 1), 1, 1, False),
        ((1,), 1, 2, True),
        ((1, 1), 1, 2, True),
        ((2,), 1, 1, False),
        ((2,), 2, 1, False),
        ((2, 2), 1, 1, False),
        ((1, 1), 2, 1, True),
        ((), 0, 0, True),
        ((1,), 0, 0, False),
    ],
)
@pytest.mark.parametrize("kind", [MessageType.VOTE, MessageType.PRE_VOTE])
def test_votes_go_to_logs_that_are_up_to_date(
    kind: MessageType, ours: tuple[int, ...], index: int, term: int, granted: bool
) -> None:
    node = node_with(storage_with(ConfState((1, 2)), ours, HardState(term=2)))
    node.step(Message(kind, to=1, sender=2, term=3, index=index, log_term=term))
    (answer,) = node.ready().messages
    assert answer.reject is not granted
    # A refused pre-vote tells our term, a granted one the term asked for.
    assert answer.term == (3 if granted or kind is MessageType.VOTE else 2)


@pytest.mark.parametrize("kind", [MessageType.APP, MessageType.HEARTBEAT])
@pytest.mark.parametrize("term", [1, 2])
def test_a_candidate_yields_to_a_leader(kind: MessageType, term: int) -> None:
    group = Group(3)
    group.isolate(1)
    node = group.elect(1).nodes[1]
    node.step(Message(kind, to=1, sender=2, term=term))
    assert (node.raft.role, node.raft.term, node.raft.leader) == (Role.FOLLOWER, term, 2)


def test_a_candidate_yields_to_the_snapshot_of_a_leader() -> None:
    group = Group(3)
    group.isolate(1)
    node = group.elect(1).nodes[1]
    snapshot = Snapshot(5, 1, group.conf)
    node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
    assert node.raft.role is Role.FOLLOWER
    assert node.raft.log.committed == 5


def test_answers_to_another_question_are_not_counted() -> None:
    group = Group(3, pre_vote=True)
    group.isolate(1)
    node = group.elect(1).nodes[1]
    assert node.raft.role is Role.PRE_CANDIDATE
    node.step(Message(MessageType.VOTE_RESP, to=1, sender=2, term=node.raft.term or 0))
    assert node.raft.role is Role.PRE_CANDIDATE


@given(st.integers(3, 40), st.randoms(use_true_random=False))
def test_timeouts_are_drawn_between_one_and_two_election_ticks(ticks: int, random: object) -> None:
    node = node_with(
        storage_with(ConfState((1, 2, 3))),
        election_tick=ticks,
        randomness=random.randrange,  # type: ignore[attr-defined]
    )
    for _ in range(5):
        assert ticks <= node.raft.randomized_election_timeout < 2 * ticks
        for _ in range(node.raft.randomized_election_timeout):
            node.tick()
        assert node.raft.role is Role.CANDIDATE


def test_a_leader_beats_at_its_interval() -> None:
    group = Group(3, heartbeat_tick=3).elect(1)
    group.sent.clear()
    for _ in range(6):
        group.tick(1)
    assert [m.to for m in group.of_type(MessageType.HEARTBEAT)] == [2, 3, 2, 3]


def test_heartbeats_keep_followers_quiet_and_bound_their_commit() -> None:
    group = Group(3, logs={1: (1, 1)}).elect(1)
    for _ in range(40):
        group.tick(1).tick(2).tick(3)
    assert [group.role(i) for i in (1, 2, 3)] == [Role.LEADER, Role.FOLLOWER, Role.FOLLOWER]
    assert group.nodes[2].raft.term == group.nodes[1].raft.term


def test_a_split_vote_is_settled_by_a_later_timeout() -> None:
    group = Group(4)
    for member in (1, 2):
        group.nodes[member].campaign()
    first, second = group.round_of(1), group.round_of(2)
    group.deliver([m for m in first if m.to == 3])
    group.deliver([m for m in second if m.to == 4])
    group.deliver([m for m in (*first, *second) if m.to in (1, 2)])
    group.run()
    assert Role.LEADER not in [group.role(member) for member in group.nodes]
    for _ in range(group.nodes[1].raft.randomized_election_timeout):
        group.nodes[1].tick()
    group.run()
    assert group.role(1) is Role.LEADER
    assert group.nodes[1].raft.term == 2


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.LEADER])
def test_learners_and_leaders_do_not_stand(role: Role) -> None:
    group = Group(3, learners=(3,))
    member = 3
    if role is Role.LEADER:
        group.elect(1)
        member = 1
    term = group.nodes[member].raft.term
    group.nodes[member].campaign()
    assert group.nodes[member].raft.term == term


def test_a_learner_votes_since_it_may_have_been_promoted_unknowingly() -> None:
    node = node_with(storage_with(ConfState((1, 2), (3,))), 3)
    node.step(Message(MessageType.VOTE, to=3, sender=2, term=1))
    (answer,) = node.ready().messages
    assert not answer.reject


def test_a_node_whose_snapshot_is_not_in_place_does_not_stand() -> None:
    node = node_with(storage_with(ConfState((1, 2, 3))))
    snapshot = Snapshot(5, 1, ConfState((1, 2, 3)))
    node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
    node.campaign()
    assert node.raft.role is Role.FOLLOWER


def test_impossible_moves_between_roles_panic() -> None:
    group = Group(3).elect(1)
    with pytest.raises(RaftPanic, match="leader cannot become a candidate"):
        group.nodes[1].raft.become_candidate()
    with pytest.raises(RaftPanic, match="leader cannot become a pre-candidate"):
        group.nodes[1].raft.become_pre_candidate()


def test_the_first_entry_of_a_term_is_empty() -> None:
    group = Group(3, logs={1: (1, 1), 2: (1, 1), 3: (1, 1)}).elect(2)
    assert group.log(2) == [(1, 1), (2, 1), (3, 2)]
    assert group.applied[2][-1] == Entry(3, 2)
    assert group.log(1) == group.log(3) == group.log(2)
