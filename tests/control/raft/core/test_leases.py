"""Pre-vote and check-quorum (dissertation 6.2 to 6.4, 9.6), transfer (3.10), forgetting."""

from __future__ import annotations

import pytest

from holdfast.control.raft.messages import ConfChange, ConfChangeType, Message, MessageType
from holdfast.control.raft.node import ProposalDroppedError, ReadOnlyOption, Role
from tests.control.raft.core.groups import Group


def test_one_cut_off_with_pre_vote_comes_back_without_a_new_term() -> None:
    group = Group(3, pre_vote=True, check_quorum=True).elect(1)
    group.isolate(3)
    for _ in range(50):
        group.tick(3)
    assert group.role(3) is Role.PRE_CANDIDATE
    assert group.nodes[3].raft.term == 1
    group.heal()
    group.tick(1)
    assert [group.role(i) for i in (1, 2, 3)] == [Role.LEADER, Role.FOLLOWER, Role.FOLLOWER]
    assert group.nodes[1].raft.term == 1


def test_without_pre_vote_its_newer_term_unseats_the_leader() -> None:
    group = Group(3, check_quorum=True).elect(1)
    group.isolate(3)
    for _ in range(50):
        group.tick(3)
    assert group.nodes[3].raft.term > 1
    group.heal()
    group.tick(1)
    assert group.role(1) is Role.FOLLOWER


def test_a_pre_vote_changes_no_term_and_casts_no_vote() -> None:
    group = Group(3, pre_vote=True)
    voter = group.nodes[2]
    voter.step(Message(MessageType.PRE_VOTE, to=2, sender=1, term=1))
    ready = voter.ready()
    assert [(m.type, m.term, m.reject) for m in ready.messages] == [
        (MessageType.PRE_VOTE_RESP, 1, False)
    ]
    assert ready.hard_state is None
    assert (voter.raft.term, voter.raft.vote) == (0, 0)


def test_a_won_pre_vote_is_followed_by_an_election() -> None:
    group = Group(3, pre_vote=True)
    group.elect(2)
    assert group.role(2) is Role.LEADER
    kinds = [m.type for m in group.sent if m.sender == 2]
    assert kinds[:4] == [MessageType.PRE_VOTE] * 2 + [MessageType.VOTE] * 2


def test_a_lost_pre_vote_ends_in_the_term_of_those_who_refused() -> None:
    group = Group(3, pre_vote=True, logs={2: (5,), 3: (5,)})
    group.elect(1)
    assert group.role(1) is Role.FOLLOWER
    assert group.nodes[1].raft.term == 5


@pytest.mark.parametrize("transfer", [False, True])
def test_who_hears_a_leader_ignores_candidates_but_one_it_named(transfer: bool) -> None:
    group = Group(3, check_quorum=True, pre_vote=True).elect(1)
    if transfer:
        group.nodes[1].transfer_leader(2)
        group.run()
        assert group.role(2) is Role.LEADER
        assert group.of_type(MessageType.TIMEOUT_NOW)[0].to == 2
    else:
        group.nodes[2].campaign()
        group.run()
        assert group.role(1) is Role.LEADER
        assert group.nodes[3].raft.term == 1


def test_who_has_not_heard_the_leader_for_long_answers_candidates() -> None:
    group = Group(3, check_quorum=True).elect(1)
    group.isolate(1)
    group.tick(3, 9)
    group.elect(2)
    assert group.role(2) is Role.CANDIDATE
    group.tick(3)
    group.elect(2)
    assert group.role(2) is Role.LEADER


def test_a_follower_that_forgot_its_leader_answers_candidates() -> None:
    group = Group(3, check_quorum=True, pre_vote=True).elect(1)
    group.isolate(1)
    group.nodes[2].forget_leader()
    group.nodes[3].forget_leader()
    assert group.nodes[2].raft.leader == 0
    group.elect(2)
    assert group.role(2) is Role.LEADER


def test_reads_by_lease_forbid_forgetting() -> None:
    group = Group(3, check_quorum=True, read_only_option=ReadOnlyOption.LEASE_BASED).elect(1)
    group.nodes[2].forget_leader()
    assert group.nodes[2].raft.leader == 1


def test_a_leader_that_hears_no_quorum_steps_down() -> None:
    group = Group(3, check_quorum=True).elect(1)
    group.isolate(1)
    group.tick(1, 10)  # whoever answered the election counts for the first check
    assert group.role(1) is Role.LEADER
    group.tick(1, 10)
    assert group.nodes[1].status().soft_state == (0, Role.FOLLOWER)
    assert group.nodes[1].raft.term == 1


def test_a_leader_that_hears_a_quorum_stays() -> None:
    group = Group(5, check_quorum=True).elect(1)
    group.isolate(4, 5)
    group.tick(1, 60)
    assert group.role(1) is Role.LEADER


def test_learners_are_no_quorum() -> None:
    group = Group(4, learners=(3, 4), check_quorum=True).elect(1)
    group.isolate(2)
    group.tick(1, 25)
    assert group.role(1) is Role.FOLLOWER


class TestTransfer:
    """Dissertation 3.10."""

    def test_waits_for_the_target_to_be_level(self) -> None:
        group = Group(3).elect(1)
        group.isolate(3)
        group.propose(1, b"a")
        group.nodes[1].transfer_leader(3)
        group.run()
        assert not group.of_type(MessageType.TIMEOUT_NOW)
        with pytest.raises(ProposalDroppedError):
            group.nodes[1].propose(b"b")
        group.heal()
        group.tick(1)
        assert group.role(3) is Role.LEADER
        assert group.data(3) == [b"a"]

    def test_is_given_up_after_an_election_timeout(self) -> None:
        group = Group(3).elect(1)
        group.isolate(3)
        group.tick(1, 5)
        group.nodes[1].transfer_leader(3)  # has the whole timeout from here on
        group.tick(1, 9)
        assert group.nodes[1].raft.transferee == 3
        group.tick(1)
        assert group.nodes[1].raft.transferee == 0
        group.propose(1, b"b")
        assert group.data(2) == [b"b"]

    @pytest.mark.parametrize("target", [1, 4, 9])
    def test_not_to_itself_a_learner_or_a_stranger(self, target: int) -> None:
        group = Group(4, learners=(4,)).elect(1)
        group.nodes[1].transfer_leader(target)
        group.run()
        assert group.role(1) is Role.LEADER
        assert group.nodes[1].raft.transferee == 0

    def test_a_second_target_replaces_the_first(self) -> None:
        group = Group(3).elect(1)
        group.isolate(3)
        group.nodes[1].transfer_leader(3)
        group.nodes[1].transfer_leader(3)
        group.nodes[1].transfer_leader(2)
        group.run()
        assert group.role(2) is Role.LEADER

    def test_to_itself_gives_up_the_one_under_way(self) -> None:
        group = Group(3).elect(1)
        group.isolate(3)
        group.nodes[1].transfer_leader(3)
        group.nodes[1].transfer_leader(1)
        assert group.nodes[1].raft.transferee == 0

    def test_a_follower_passes_the_wish_on(self) -> None:
        group = Group(3).elect(1)
        group.nodes[2].transfer_leader(3)
        group.run()
        assert group.role(3) is Role.LEADER

    def test_without_a_leader_the_wish_is_dropped(self) -> None:
        group = Group(3)
        group.nodes[2].transfer_leader(3)
        assert not group.nodes[2].has_ready()

    def test_a_removed_target_stops_it(self) -> None:
        group = Group(3).elect(1)
        group.isolate(2, 3)
        group.nodes[1].propose_conf_change(ConfChange(ConfChangeType.REMOVE_NODE, 3))
        group.nodes[1].transfer_leader(3)
        group.run()
        assert group.nodes[1].raft.transferee == 3
        group.heal()
        group.isolate(3)
        group.tick(1)
        assert group.nodes[1].raft.transferee == 0
        assert group.role(1) is Role.LEADER

    def test_timeout_now_moves_no_learner(self) -> None:
        group = Group(3, learners=(3,)).elect(1)
        group.nodes[3].step(Message(MessageType.TIMEOUT_NOW, to=3, sender=1, term=1))
        assert group.nodes[3].raft.term == 1
