"""Dissertation 4.1 to 4.3: members come and go, one by one and jointly."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
)
from holdfast.control.raft.node import ProposalDroppedError, Role, StepError
from tests.control.raft.core.groups import Group, node_with, storage_with, told

ADD, REMOVE, LEARN = (
    ConfChangeType.ADD_NODE,
    ConfChangeType.REMOVE_NODE,
    ConfChangeType.ADD_LEARNER_NODE,
)
EXPLICIT = ConfChangeTransition.JOINT_EXPLICIT


def joint(
    *changes: tuple[ConfChangeType, int],
    transition: ConfChangeTransition = ConfChangeTransition.AUTO,
) -> ConfChangeV2:
    return ConfChangeV2(transition, tuple(ConfChangeSingle(*change) for change in changes))


def conf(group: Group, member: int = 1) -> ConfState:
    return group.nodes[member].raft.tracker.conf_state()


def change(group: Group, wanted: ConfChange | ConfChangeV2) -> Group:
    group.nodes[1].propose_conf_change(wanted)
    return group.run()


def types(group: Group, member: int = 1) -> list[EntryType]:
    return [entry.type for entry in group.applied[member]]


def test_a_new_member_catches_up_and_votes() -> None:
    group = Group(1, base=5).elect(1).propose(1, b"a")
    group.join_empty(2)
    change(group, ConfChange(ADD, 2, b"address"))
    assert conf(group) == conf(group, 2) == ConfState((1, 2))
    assert group.nodes[2].raft.log.last_index() == group.nodes[1].raft.log.last_index()
    group.isolate(2)
    group.propose(1, b"b")
    assert group.data(1) == [b"a"]  # two voters: one is no majority


def test_a_learner_gets_the_log_and_no_vote_until_it_is_promoted() -> None:
    group = Group(1, base=5).elect(1)
    group.join_empty(2)
    change(group, ConfChange(LEARN, 2))
    assert conf(group) == ConfState((1,), (2,))
    group.isolate(2)
    group.propose(1, b"a")
    assert group.data(1) == [b"a"]
    group.heal()
    group.tick(1)
    change(group, ConfChange(ADD, 2))
    assert conf(group, 2) == ConfState((1, 2))
    assert group.data(2) == [b"a"]
    assert group.nodes[2].raft.promotable()


def test_removing_a_member_may_commit_what_waited_for_it() -> None:
    group = Group(2).elect(1)
    group.nodes[1].propose_conf_change(ConfChange(REMOVE, 2))
    group.nodes[1].propose(b"a")
    group.lose = lambda m: m.type is MessageType.APP and m.index >= 2  # 2 gets only the removal
    group.run()
    assert conf(group) == ConfState((1,))
    assert group.data(1) == [b"a"]


@pytest.mark.parametrize("steps_down", [False, True])
def test_a_removed_leader_stays_or_steps_down(steps_down: bool) -> None:
    group = Group(3, step_down_on_removal=steps_down).elect(1)
    change(group, ConfChange(REMOVE, 1))
    assert conf(group, 2) == ConfState((2, 3))
    assert group.role(1) is (Role.FOLLOWER if steps_down else Role.LEADER)
    with pytest.raises(ProposalDroppedError):
        group.nodes[1].propose(b"x")
    group.elect(2)
    assert group.role(2) is Role.LEADER
    assert group.role(1) is not Role.CANDIDATE


@pytest.mark.parametrize("transition", [ConfChangeTransition.AUTO, *ConfChangeTransition])
def test_many_changes_go_through_a_joint_configuration(transition: ConfChangeTransition) -> None:
    group = Group(3, base=5).elect(1)
    for member in (4, 5):
        group.join_empty(member)
    change(group, joint((ADD, 4), (ADD, 5), (REMOVE, 2), (LEARN, 3), transition=transition))
    between = ConfState((1, 4, 5), (), (1, 2, 3), (3,), auto_leave=transition != EXPLICIT)
    if transition == EXPLICIT:
        assert conf(group) == conf(group, 4) == between
        change(group, ConfChangeV2(context=b"done"))
    assert conf(group) == conf(group, 4) == conf(group, 3) == ConfState((1, 4, 5), (3,))
    assert types(group)[1:] == [EntryType.CONF_CHANGE_V2] * 2


def test_a_joint_configuration_needs_both_majorities() -> None:
    group = Group(3, base=5).elect(1)
    for member in (4, 5):
        group.join_empty(member)
    wanted = joint((ADD, 4), (ADD, 5), (REMOVE, 2), (REMOVE, 3), transition=EXPLICIT)
    change(group, wanted)
    group.isolate(2, 3)
    group.propose(1, b"a")
    assert group.data(1) == []
    group.heal()
    group.tick(1)
    assert group.data(1) == [b"a"]
    group.isolate(4, 5)
    group.propose(1, b"b")
    assert group.data(1) == [b"a"]
    group.heal()
    group.isolate(3, 5)
    group.tick(1)
    assert group.data(1) == [b"a", b"b"]


def test_elections_in_a_joint_configuration_need_both_majorities() -> None:
    group = Group(3, base=5).elect(1)
    for member in (4, 5):
        group.join_empty(member)
    change(group, joint((ADD, 4), (ADD, 5), (REMOVE, 2), (REMOVE, 3), transition=EXPLICIT))
    group.isolate(1, 2)
    group.elect(4)
    assert group.role(4) is Role.CANDIDATE
    group.heal()
    group.isolate(1)
    group.elect(4)
    assert group.role(4) is Role.LEADER


def test_an_automatic_leave_is_proposed_once() -> None:
    group = Group(3, max_committed_size_per_ready=1).elect(1)
    group.nodes[1].propose_conf_change(joint((LEARN, 3), (LEARN, 2)))
    group.propose(1, b"a", b"b", b"c")
    assert conf(group) == ConfState((1,), (2, 3))
    assert types(group) == [
        EntryType.NORMAL,
        EntryType.CONF_CHANGE_V2,
        *[EntryType.NORMAL] * 3,
        EntryType.CONF_CHANGE_V2,
    ]


def test_an_automatic_leave_that_is_held_up_comes_later() -> None:
    group = Group(3).elect(1)
    wanted = joint((LEARN, 3), transition=ConfChangeTransition.JOINT_IMPLICIT)
    group.isolate(2, 3)
    group.nodes[1].propose_conf_change(wanted)
    group.nodes[1].transfer_leader(3)  # until this is over, no proposal is taken
    group.run()
    group.heal()
    group.lose = lambda m: m.type is MessageType.TIMEOUT_NOW
    group.tick(1)
    assert conf(group).voters_outgoing
    group.tick(1, 20)
    group.propose(1, b"next")
    assert conf(group) == conf(group, 3) == ConfState((1, 2), (3,))


class TestRefused:
    """A change that does not fit leaves an empty entry in its place."""

    def _empty(self, group: Group) -> bool:
        last = group.applied[1][-1]
        return last.type is EntryType.NORMAL and last.data == b""

    def test_a_second_one_while_one_is_unapplied(self) -> None:
        group = Group(3).elect(1)
        group.nodes[1].propose_conf_change(ConfChange(ADD, 4))
        group.nodes[1].propose_conf_change(ConfChange(ADD, 5))
        group.run()
        assert conf(group).voters == (1, 2, 3, 4)
        assert self._empty(group)

    def test_two_in_one_message(self) -> None:
        group = Group(3).elect(1)
        entries = [
            Entry(type=EntryType.CONF_CHANGE, data=ConfChange(ADD, each).encode())
            for each in (4, 5)
        ]
        group.nodes[1].step(
            Message(MessageType.PROP, to=1, sender=2, entries=[Entry(data=b"a"), *entries])
        )
        group.run()
        assert conf(group).voters == (1, 2, 3, 4)
        assert [entry.type for entry in entries] == [EntryType.CONF_CHANGE] * 2
        assert types(group)[-3:] == [EntryType.NORMAL, EntryType.CONF_CHANGE, EntryType.NORMAL]

    def test_one_before_the_first_entry_of_a_term_is_applied(self) -> None:
        group = Group(3, logs={1: (1,)})
        group.lose = lambda m: m.type is MessageType.APP
        group.elect(1)
        change(group, ConfChange(ADD, 4))
        group.heal()
        group.tick(1)
        assert conf(group).voters == (1, 2, 3)

    @pytest.mark.parametrize("explicit", [False, True])
    def test_leaving_and_entering_out_of_turn(self, explicit: bool) -> None:
        group = Group(3).elect(1)
        if explicit:
            change(group, joint((ADD, 4), transition=EXPLICIT))
            before = conf(group)
            change(group, ConfChange(ADD, 5))
        else:
            before = conf(group)
            change(group, ConfChangeV2())
        assert conf(group) == before
        assert self._empty(group)

    def test_unless_validation_is_off(self) -> None:
        group = Group(3, disable_conf_change_validation=True).elect(1)
        group.nodes[1].propose_conf_change(ConfChange(ADD, 4))
        group.nodes[1].propose_conf_change(ConfChange(ADD, 5))
        group.run()
        assert conf(group).voters == (1, 2, 3, 4, 5)
        with pytest.raises(RaftPanic, match="joint"):
            change(group, ConfChangeV2())

    def test_what_is_no_change_at_all(self) -> None:
        group = Group(3).elect(1)
        entry = Entry(type=EntryType.CONF_CHANGE_V2, data=b"\xff")
        with pytest.raises(StepError, match="version"):
            group.nodes[1].step(Message(MessageType.PROP, to=1, sender=2, entries=[entry]))
        assert group.run().log(1) == [(1, 1)]

    def test_removing_the_last_voter_panics_when_applied(self) -> None:
        group = Group(1).elect(1)
        with pytest.raises(RaftPanic, match="cannot be applied"):
            change(group, ConfChange(REMOVE, 1))


@pytest.mark.parametrize("committed", [False, True])
def test_a_committed_and_unapplied_change_keeps_a_node_from_standing(committed: bool) -> None:
    storage = storage_with(ConfState((1, 2, 3)), (1,), HardState(1, 0, 1))
    data = ConfChange(REMOVE, 2).encode()
    storage.append([Entry(2, 1, EntryType.CONF_CHANGE, data), Entry(3, 1)])
    storage.set_hard_state(HardState(1, 0, 3 if committed else 1))
    node = node_with(storage, applied=1, max_committed_size_per_ready=1)
    node.campaign()
    assert node.raft.role is (Role.FOLLOWER if committed else Role.CANDIDATE)


def test_the_scan_for_it_reads_in_pages() -> None:
    storage = storage_with(ConfState((1, 2, 3)), (1,) * 50, HardState(1, 0, 51))
    storage.append([Entry(51, 1, EntryType.CONF_CHANGE, ConfChange(ADD, 4).encode())])
    node = node_with(storage, applied=1, max_size_per_msg=30)
    node.campaign()
    assert node.raft.role is Role.FOLLOWER


def test_votes_of_strangers_are_not_counted() -> None:
    group = Group(3)
    group.isolate(1)
    node = group.elect(1).nodes[1]
    node.raft.step(Message(MessageType.VOTE_RESP, to=1, sender=9, term=1))
    node.raft.step(Message(MessageType.VOTE_RESP, to=1, sender=8, term=1))
    assert node.raft.role is Role.CANDIDATE


def test_answers_of_former_members_are_ignored() -> None:
    group = Group(3).elect(1)
    change(group, ConfChange(REMOVE, 3))
    before = told(group.nodes[1])
    for kind in (MessageType.APP_RESP, MessageType.HEARTBEAT_RESP):
        group.nodes[1].raft.step(Message(kind, to=1, sender=3, term=1, index=1))
    assert told(group.nodes[1]) == before
