"""The door: what is let in, what a round contains, and when there is one."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    LOCAL_TYPES,
    RESPONSE_TYPES,
    ConfState,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.node import (
    ReadState,
    Role,
    StepLocalError,
    StepPeerNotFoundError,
)
from tests.control.raft.core.groups import Group, node_with, storage_with

THREE = ConfState((1, 2, 3))


@pytest.mark.parametrize("kind", list(MessageType))
def test_local_messages_and_answers_of_strangers_are_refused(kind: MessageType) -> None:
    node = node_with(storage_with(THREE))
    message = Message(kind, to=1, sender=9)
    if kind in LOCAL_TYPES:
        with pytest.raises(StepLocalError):
            node.step(message)
    elif kind in RESPONSE_TYPES:
        with pytest.raises(StepPeerNotFoundError):
            node.step(message)
    assert not node.has_ready()


def test_a_round_says_only_what_is_new() -> None:
    group = Group(3)
    node = group.nodes[1]
    node.campaign()
    ready = node.ready()
    assert ready.soft_state == (0, Role.CANDIDATE)
    assert ready.hard_state == HardState(1, 1, 0)
    assert ready.must_sync
    node.advance()
    node.tick()
    assert not node.has_ready()
    node.step(Message(MessageType.HEARTBEAT, to=1, sender=2, term=1))
    ready = node.ready()
    assert ready.soft_state == (2, Role.FOLLOWER)
    assert ready.hard_state is None
    assert not ready.must_sync
    assert [m.type for m in ready.messages] == [MessageType.HEARTBEAT_RESP]
    node.advance()
    assert not node.has_ready()


def test_a_commit_alone_need_not_be_synced() -> None:
    node = node_with(storage_with(THREE, (1,), HardState(1, 2, 0)))
    node.step(Message(MessageType.HEARTBEAT, to=1, sender=2, term=1, commit=1))
    ready = node.ready()
    assert ready.hard_state == HardState(1, 2, 1)
    assert not ready.must_sync
    assert [entry.index for entry in ready.committed_entries] == [1]


def test_each_reason_for_a_round_is_noticed() -> None:
    node = node_with(storage_with(THREE))
    for arrange in (
        lambda: node.raft.read_states.append(ReadState(1, b"")),
        lambda: node.raft.log.append([]) or node.raft.log.unstable.restore(Snapshot(4, 1, THREE)),
        lambda: setattr(node.raft, "leader", 2),
        lambda: setattr(node.raft, "vote", 2),
    ):
        assert not node.has_ready()
        arrange()
        assert node.has_ready()
        node.ready()
        node._on_advance.clear()


def test_a_round_must_be_advanced_before_the_next() -> None:
    group = Group(1)
    group.nodes[1].campaign()
    group.nodes[1].ready()
    with pytest.raises(RaftPanic, match="advanced"):
        group.nodes[1].ready()


def test_one_member_proposes_and_applies_in_two_rounds() -> None:
    group = Group(1).elect(1)
    group.nodes[1].propose(b"x")
    assert group.round_of(1) == []
    assert group.data(1) == []
    group.round_of(1)
    assert group.data(1) == [b"x"]
    assert not group.nodes[1].has_ready()


def test_a_status_is_a_copy() -> None:
    group = Group(3).elect(1)
    status = group.nodes[1].status()
    assert (status.id, status.applied, status.transferee) == (1, 1, 0)
    assert status.hard_state == HardState(1, 1, 1)
    assert sorted(status.progress) == [1, 2, 3]
    group.propose(1, b"x")
    assert status.progress[2].match == 1
    assert group.nodes[2].status().progress == {}


def test_messages_are_not_changed_once_handed_out() -> None:
    group = Group(3).elect(1)
    message = Message(MessageType.READ_INDEX, to=2, sender=3)
    group.nodes[2].step(message)
    assert message == Message(MessageType.READ_INDEX, to=2, sender=3)
    (passed,) = [m for m in group.nodes[2].raft.messages if m.type is MessageType.READ_INDEX]
    assert (passed.sender, passed.to, passed.term) == (3, 1, 0)
