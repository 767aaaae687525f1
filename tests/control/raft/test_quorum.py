"""Majorities: tables, and the product's arithmetic against one plain from its definition."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.control.raft.quorum import INDEX_MAX, JointConfig, MajorityConfig, VoteResult
from tests.control.raft.scripts import naive

MEMBERS = range(1, 10)
IDS = st.sampled_from(MEMBERS)
# Each a choice among all there are, and few choices: what is drawn one by one costs far more than
# what it tests.
CONFIGS = st.one_of(
    [
        st.sampled_from([MajorityConfig(chosen) for chosen in combinations(MEMBERS, size)])
        for size in range(8)
    ]
)
ACKED = st.builds(
    lambda heard, indexes: {n: indexes[n - 1] for n in MEMBERS if heard >> n & 1},
    st.integers(0, 2 << MEMBERS[-1]),
    st.lists(st.integers(0, 20), min_size=len(MEMBERS), max_size=len(MEMBERS)),
)
VOTES = st.builds(
    lambda heard, granted: {n: bool(granted >> n & 1) for n in MEMBERS if heard >> n & 1},
    st.integers(0, 2 << MEMBERS[-1]),
    st.integers(0, 2 << MEMBERS[-1]),
)


def test_a_configuration_is_sorted_and_has_each_voter_once() -> None:
    assert MajorityConfig([3, 1, 3, 2]) == (1, 2, 3)
    assert JointConfig(MajorityConfig([2, 1]), MajorityConfig([3, 2])).ids() == (1, 2, 3)


def test_membership_of_a_joint_configuration() -> None:
    joint = JointConfig(MajorityConfig([1, 2]), MajorityConfig([2, 3]))
    assert joint.is_joint
    assert [joint.has(member) for member in (1, 2, 3, 4)] == [True, True, True, False]
    assert not JointConfig(MajorityConfig([1])).is_joint


@pytest.mark.parametrize(
    ("voters", "acked", "index"),
    [
        ([], {}, INDEX_MAX),
        ([1], {}, 0),
        ([1], {1: 7}, 7),
        ([1, 2], {1: 7}, 0),
        ([1, 2], {1: 7, 2: 5}, 5),
        ([1, 2, 3], {1: 7, 2: 5}, 5),
        ([1, 2, 3], {1: 7, 2: 5, 3: 9}, 7),
        ([1, 2, 3, 4], {1: 9, 2: 8, 3: 1}, 1),
        ([1, 2, 3, 4, 5], {1: 9, 2: 8, 3: 7}, 7),
        ([1, 2, 3], {4: 9, 5: 9}, 0),
    ],
)
def test_committed_index(voters: list[int], acked: dict[int, int], index: int) -> None:
    assert MajorityConfig(voters).committed_index(acked.get) == index


@pytest.mark.parametrize(
    ("voters", "votes", "result"),
    [
        ([], {}, VoteResult.WON),
        ([1], {}, VoteResult.PENDING),
        ([1], {1: False}, VoteResult.LOST),
        ([1, 2], {1: True}, VoteResult.PENDING),
        ([1, 2], {1: False}, VoteResult.LOST),
        ([1, 2, 3], {1: True, 2: True}, VoteResult.WON),
        ([1, 2, 3], {1: True, 2: False}, VoteResult.PENDING),
        ([1, 2, 3], {4: True, 5: True, 6: True}, VoteResult.PENDING),
    ],
)
def test_vote_result(voters: list[int], votes: dict[int, bool], result: VoteResult) -> None:
    assert MajorityConfig(voters).vote_result(votes) is result


@pytest.mark.parametrize(
    ("votes", "result"),
    [
        ({}, VoteResult.PENDING),
        ({1: True, 2: True}, VoteResult.PENDING),
        ({1: True, 2: True, 3: True}, VoteResult.WON),
        ({1: True, 2: False, 3: False}, VoteResult.LOST),
        ({1: False, 2: False, 3: True}, VoteResult.LOST),
    ],
)
def test_one_half_that_is_lost_loses_and_both_must_win(
    votes: dict[int, bool], result: VoteResult
) -> None:
    joint = JointConfig(MajorityConfig([1, 2]), MajorityConfig([2, 3]))
    assert joint.vote_result(votes) is result


@settings(deadline=None)
@given(CONFIGS, ACKED)
def test_committed_index_is_the_naive_one(voters: MajorityConfig, acked: dict[int, int]) -> None:
    assert voters.committed_index(acked.get) == naive.committed_index(voters, acked)


@settings(deadline=None)
@given(CONFIGS, VOTES)
def test_vote_result_is_the_naive_one(voters: MajorityConfig, votes: dict[int, bool]) -> None:
    assert voters.vote_result(votes) is naive.vote_result(voters, votes)


@settings(deadline=None)
@given(CONFIGS, CONFIGS, ACKED)
def test_joint_commit_needs_both(
    incoming: MajorityConfig, outgoing: MajorityConfig, acked: dict[int, int]
) -> None:
    index = JointConfig(incoming, outgoing).committed_index(acked.get)
    assert index == JointConfig(outgoing, incoming).committed_index(acked.get)
    halves = (naive.committed_index(half, acked) for half in (incoming, outgoing))
    assert index == min(halves)


@settings(deadline=None)
@given(CONFIGS, CONFIGS, VOTES)
def test_joint_vote_needs_both(
    incoming: MajorityConfig, outgoing: MajorityConfig, votes: dict[int, bool]
) -> None:
    result = JointConfig(incoming, outgoing).vote_result(votes)
    assert result is JointConfig(outgoing, incoming).vote_result(votes)
    halves = {naive.vote_result(half, votes) for half in (incoming, outgoing)}
    assert (result is VoteResult.WON) == (halves == {VoteResult.WON})
    assert (result is VoteResult.LOST) == (VoteResult.LOST in halves)


@settings(deadline=None)
@given(CONFIGS, ACKED, IDS, st.integers(0, 20))
def test_an_acknowledgement_never_takes_back_a_commit(
    voters: MajorityConfig, acked: dict[int, int], voter: int, index: int
) -> None:
    before = voters.committed_index(acked.get)
    raised = {**acked, voter: max(index, acked.get(voter, 0))}
    assert voters.committed_index(raised.get) >= before
