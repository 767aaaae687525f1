"""Read index (dissertation 6.4, Raft 8): confirmed by a quorum, after an entry of the own term."""

from __future__ import annotations

import pytest

from holdfast.control.raft.core.readonly import READS_MAX, ReadQueue
from holdfast.control.raft.messages import (
    ConfChange,
    ConfChangeType,
    Entry,
    Message,
    MessageType,
)
from holdfast.control.raft.node import ReadOnlyOption, ReadState
from holdfast.control.raft.quorum import JointConfig, MajorityConfig
from tests.control.raft.core.groups import Group

LEASE = {"read_only_option": ReadOnlyOption.LEASE_BASED, "check_quorum": True}


@pytest.mark.parametrize("settings", [{}, LEASE])
@pytest.mark.parametrize("reader", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_read_gets_the_commit_index(settings: dict[str, object], reader: int, size: int) -> None:
    group = Group(size, **settings).elect(1).propose(1, b"a", b"b")
    reader = min(reader, size)
    group.nodes[reader].read_index(b"r")
    group.run()
    assert group.reads[reader] == [ReadState(3, b"r")]


def test_one_round_serves_all_that_wait() -> None:
    group = Group(3).elect(1)
    group.isolate(1)
    for name in (b"a", b"b", b"c"):
        group.nodes[1].read_index(name)
    group.run()
    assert not group.reads[1]
    group.heal()
    group.sent.clear()
    group.tick(1)
    assert [read.context for read in group.reads[1]] == [b"a", b"b", b"c"]
    assert len(group.of_type(MessageType.HEARTBEAT)) == 2


def test_no_quorum_no_answer() -> None:
    group = Group(5).elect(1)
    group.isolate(3, 4, 5)
    group.nodes[1].read_index(b"r")
    group.run()
    group.tick(1, 3)
    assert not group.reads[1]


def test_an_answer_to_an_earlier_heartbeat_vouches_for_nothing_later() -> None:
    group = Group(3).elect(1)
    leader = group.nodes[1]
    leader.read_index(b"a")
    early = [m for m in group.round_of(1) if m.to == 2]
    leader.read_index(b"b")
    group.round_of(1)  # lost
    group.deliver(early)
    group.run()
    assert [read.context for read in group.reads[1]] == [b"a"]


def test_a_new_leader_answers_after_an_entry_of_its_own_term() -> None:
    group = Group(3).elect(1).propose(1, b"a")
    group.isolate(1)
    group.lose = lambda m: m.type is MessageType.APP_RESP and m.to == 2
    group.elect(2)
    group.nodes[2].read_index(b"mine")
    group.nodes[3].read_index(b"theirs")
    group.run()
    assert not group.reads[2]
    group.lose = lambda _m: False
    group.tick(2)
    assert group.reads[2] == [ReadState(3, b"mine")]
    assert group.reads[3] == [ReadState(3, b"theirs")]


def test_a_single_member_waits_for_its_own_term_too() -> None:
    group = Group(1, logs={1: (1, 1)})
    node = group.nodes[1]
    node.campaign()
    group.round_of(1)  # elected; its first entry is not durable
    node.read_index(b"r")
    assert not node.raft.read_states
    group.run()
    assert group.reads[1] == [ReadState(3, b"r")]


def test_a_deposed_leader_does_not_answer() -> None:
    group = Group(3).elect(1).propose(1, b"a")
    group.isolate(1)
    group.nodes[1].read_index(b"old")
    group.run()
    group.elect(2)
    group.propose(2, b"b")
    group.heal()
    group.tick(2)
    group.tick(1, 3)
    assert not group.reads[1]
    group.isolate(2)
    group.elect(1)
    group.tick(1, 3)
    assert not group.reads[1]  # nor once it leads again


def test_reads_that_waited_for_the_own_term_end_with_it() -> None:
    group = Group(3)
    group.lose = lambda m: m.type is MessageType.APP
    group.elect(1)
    group.nodes[1].read_index(b"r")
    assert group.nodes[1].raft.pending_reads
    group.elect(2)
    assert not group.nodes[1].raft.pending_reads
    group.heal()
    group.tick(2).elect(1).tick(1)
    assert not group.reads[1]


def test_without_a_leader_reads_are_dropped() -> None:
    group = Group(3)
    group.nodes[1].read_index(b"r")
    assert not group.nodes[1].has_ready()


def test_reads_that_waited_for_a_removed_voter_are_answered() -> None:
    group = Group(2).elect(1)
    group.lose = lambda m: m.type is MessageType.HEARTBEAT_RESP
    group.nodes[1].read_index(b"r")
    group.run()
    group.nodes[1].propose_conf_change(ConfChange(ConfChangeType.REMOVE_NODE, 2))
    group.run()
    assert group.reads[1] == [ReadState(1, b"r")]


def test_malformed_reads_are_ignored() -> None:
    group = Group(3).elect(1)
    for entries in ([], [Entry(), Entry()]):
        group.nodes[1].step(Message(MessageType.READ_INDEX, to=1, sender=2, entries=entries))
        response = Message(MessageType.READ_INDEX_RESP, to=2, sender=1, term=1, entries=entries)
        group.nodes[2].step(response)
    assert not group.nodes[1].has_ready()
    assert not group.nodes[2].has_ready()


class TestQueue:
    VOTERS = JointConfig(MajorityConfig((1, 2, 3)), MajorityConfig((4,)))

    def test_both_halves_must_vouch(self) -> None:
        queue = ReadQueue(ReadOnlyOption.SAFE)
        assert queue.context() == b""
        queue.add(5, Message(MessageType.READ_INDEX))
        context = queue.context()
        queue.acknowledge(1, context)
        queue.acknowledge(2, context)
        assert not queue.confirm(self.VOTERS)
        queue.acknowledge(4, context)
        assert [read.commit for read in queue.confirm(self.VOTERS)] == [5]
        assert not queue.confirm(self.VOTERS)

    def test_contexts_of_others_are_ignored(self) -> None:
        queue = ReadQueue(ReadOnlyOption.SAFE)
        queue.add(5, Message(MessageType.READ_INDEX))
        for member in (1, 2, 4):
            queue.acknowledge(member, b"?")
        assert not queue.confirm(self.VOTERS)

    def test_it_is_bounded(self) -> None:
        queue = ReadQueue(ReadOnlyOption.SAFE)
        read = Message(MessageType.READ_INDEX)
        assert all(queue.add(1, read) for _ in range(READS_MAX))
        assert not queue.add(1, read)
