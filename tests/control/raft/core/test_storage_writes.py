"""Asynchronous storage writes: nothing is said before it is durable (dissertation 3.8)."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    ConfChange,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.node import RawNode, Role
from holdfast.control.raft.storage import MemoryStorage
from tests.control.raft.core.groups import node_with, storage_with

THREE = ConfState((1, 2, 3))


class Desk:
    """One asynchronous node; its writer and its state machine do one order when told."""

    def __init__(self, storage: MemoryStorage, **settings: Any) -> None:
        self.storage = storage
        self.node: RawNode = node_with(storage, async_storage_writes=True, **settings)
        self.appends: list[Message] = []
        self.applies: list[Message] = []
        self.sent: list[Message] = []

    def take(self) -> None:
        """Take rounds until there are none; orders queue up."""
        while self.node.has_ready():
            for message in self.node.ready().messages:
                if message.to == LOCAL_APPEND:
                    self.appends.append(message)
                elif message.to == LOCAL_APPLY:
                    self.applies.append(message)
                else:
                    self.sent.append(message)

    def write(self) -> list[Message]:
        """Do the writer's next order; its answers, not delivered."""
        order = self.appends.pop(0)
        if order.term:
            self.storage.set_hard_state(HardState(order.term, order.vote, order.commit))
        if order.snapshot is not None:
            self.storage.apply_snapshot(order.snapshot)
        self.storage.append(order.entries)
        return list(order.responses)

    def answer(self, responses: list[Message]) -> None:
        """Deliver answers, and take what follows."""
        for message in responses:
            if message.to == self.node.raft.id:
                self.node.step(message)
            else:
                self.sent.append(message)
        self.take()

    def types(self) -> list[MessageType]:
        return [message.type for message in self.sent]

    def append(self, term: int, index: int, log_term: int, terms: tuple[int, ...]) -> None:
        """A leader of `term` sends entries."""
        entries = [Entry(index + i, each) for i, each in enumerate(terms, 1)]
        kind = MessageType.APP
        self.node.step(
            Message(
                kind, to=1, sender=2, term=term, index=index, log_term=log_term, entries=entries
            )
        )
        self.take()


def test_a_vote_leaves_when_it_is_durable() -> None:
    desk = Desk(storage_with(THREE))
    desk.node.step(Message(MessageType.VOTE, to=1, sender=2, term=1))
    desk.take()
    assert not desk.sent
    desk.answer(desk.write())
    assert desk.storage.initial_state()[0] == HardState(1, 2, 0)
    assert desk.types() == [MessageType.VOTE_RESP]


def test_a_candidate_asks_at_once_and_counts_itself_later() -> None:
    desk = Desk(storage_with(ConfState((1, 2))))
    desk.node.campaign()
    desk.take()
    assert desk.types() == [MessageType.VOTE]
    desk.node.step(Message(MessageType.VOTE_RESP, to=1, sender=2, term=1))
    assert desk.node.raft.role is Role.CANDIDATE
    desk.answer(desk.write())
    assert desk.node.raft.role is Role.LEADER


def test_appends_are_acknowledged_when_they_are_durable_and_pipelined() -> None:
    desk = Desk(storage_with(THREE))
    desk.append(1, 0, 0, (1,))
    desk.append(1, 1, 1, (1, 1))
    assert [len(order.entries) for order in desk.appends] == [1, 2]
    assert not desk.sent
    desk.answer(desk.write())
    assert [message.index for message in desk.sent] == [1]
    desk.answer(desk.write())
    assert [message.index for message in desk.sent] == [1, 3]
    assert desk.node.raft.log.unstable.entries == []


def test_a_leader_sends_before_it_writes_and_counts_itself_after() -> None:
    desk = Desk(storage_with(ConfState((1, 2))))
    desk.node.campaign()
    desk.take()
    desk.node.step(Message(MessageType.VOTE_RESP, to=1, sender=2, term=1))
    desk.answer(desk.write())
    assert MessageType.APP in desk.types()
    desk.node.step(Message(MessageType.APP_RESP, to=1, sender=2, term=1, index=1))
    assert desk.node.raft.log.committed == 0
    desk.answer(desk.write())
    assert desk.node.raft.log.committed == 1


def test_only_durable_entries_are_applied() -> None:
    desk = Desk(storage_with(THREE))
    desk.append(1, 0, 0, (1, 1))
    desk.node.step(Message(MessageType.HEARTBEAT, to=1, sender=2, term=1, commit=2))
    desk.take()
    assert not desk.applies
    while desk.appends:
        desk.answer(desk.write())
    (order,) = desk.applies
    assert [entry.index for entry in order.entries] == [1, 2]
    assert desk.node.raft.log.applied == 0
    desk.answer(list(order.responses))
    assert desk.node.raft.log.applied == 2


def test_what_is_applied_at_a_time_is_bounded() -> None:
    size = Entry(1, 1, data=b"1").size
    storage = storage_with(THREE, (1,) * 5, HardState(1, 0, 5))
    desk = Desk(storage, max_committed_size_per_ready=2 * size)
    desk.take()
    (order,) = desk.applies
    assert len(order.entries) == 2
    desk.take()
    assert len(desk.applies) == 1
    desk.answer(list(order.responses))
    assert [len(order.entries) for order in desk.applies] == [2, 2]


def test_the_third_write_is_not_vouched_for_by_the_first() -> None:
    """Entries replaced by others and then by themselves again, all still being written."""
    desk = Desk(storage_with(THREE, (1,), HardState(1, 0, 0)))
    desk.append(1, 1, 1, (1, 1))
    desk.append(2, 1, 1, (2, 2))
    desk.append(3, 1, 1, (1, 1))
    assert [[e.term for e in order.entries] for order in desk.appends] == [[1, 1], [2, 2], [1, 1]]
    first = desk.write()
    second = desk.write()
    desk.answer(first)
    desk.answer(second)
    # Storage holds the second leader's entries: reading there would be wrong.
    assert desk.node.raft.log.term(2) == 1
    assert len(desk.node.raft.log.unstable.entries) == 2
    desk.answer(desk.write())
    assert desk.node.raft.log.unstable.entries == []
    assert [desk.storage.term(i) for i in (1, 2, 3)] == [1, 1, 1]


def test_entries_are_let_go_of_after_a_new_term_without_entries() -> None:
    desk = Desk(storage_with(THREE))
    desk.append(1, 0, 0, (1, 1))
    desk.node.step(Message(MessageType.HEARTBEAT, to=1, sender=3, term=2))
    desk.take()
    desk.answer(desk.write())  # of the older term: says nothing any more
    assert len(desk.node.raft.log.unstable.entries) == 2
    desk.answer(desk.write())
    assert desk.node.raft.log.unstable.entries == []


def test_a_cut_tail_is_written_again_from_the_cut() -> None:
    desk = Desk(storage_with(THREE))
    desk.append(1, 0, 0, (1, 1, 1))
    desk.append(2, 1, 1, (2,))
    assert [[(e.index, e.term) for e in order.entries] for order in desk.appends] == [
        [(1, 1), (2, 1), (3, 1)],
        [(2, 2)],
    ]
    while desk.appends:
        desk.answer(desk.write())
    assert desk.storage.last_index() == 2


class TestSnapshots:
    def test_one_is_answered_when_it_is_in_place(self) -> None:
        desk = Desk(storage_with(THREE))
        snapshot = Snapshot(5, 1, THREE)
        desk.node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
        desk.take()
        (order,) = desk.appends
        assert (order.snapshot, order.commit, desk.sent) == (snapshot, 5, [])
        desk.answer(desk.write())
        assert [(m.type, m.index) for m in desk.sent] == [(MessageType.APP_RESP, 5)]
        assert desk.node.raft.log.applied == 5

    def test_one_written_in_an_older_term_counts(self) -> None:
        desk = Desk(storage_with(THREE))
        snapshot = Snapshot(5, 1, THREE)
        desk.node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
        desk.take()
        responses = desk.write()
        desk.node.step(Message(MessageType.HEARTBEAT, to=1, sender=3, term=2))
        desk.answer(responses)
        assert desk.node.raft.log.applied == 5
        assert desk.node.raft.log.unstable.snapshot is None


def test_a_snapshot_overtakes_what_is_queued_to_be_applied() -> None:
    change = ConfChange(ConfChangeType.REMOVE_NODE, 3)
    storage = storage_with(THREE, (1,), HardState(1, 0, 1))
    storage.append([Entry(2, 1, EntryType.CONF_CHANGE, change.encode())])
    storage.set_hard_state(HardState(1, 0, 2))
    desk = Desk(storage)
    desk.take()
    assert desk.node.apply_floor() == 0
    snapshot = Snapshot(5, 1, ConfState((1, 2)))
    desk.node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
    desk.take()
    assert desk.node.apply_floor() == 5  # so entry 2 is skipped, and answered all the same
    with pytest.raises(RaftPanic, match="overtaken by the snapshot at 5"):
        desk.node.apply_conf_change(change)
    desk.answer(list(desk.applies.pop(0).responses))
    assert desk.node.raft.log.applied == 2
    desk.answer(desk.write())
    assert (desk.node.raft.log.applied, desk.node.apply_floor()) == (5, 5)
    assert desk.node.raft.tracker.conf_state() == ConfState((1, 2))


def test_there_is_nothing_to_advance() -> None:
    desk = Desk(storage_with(THREE))
    with pytest.raises(RaftPanic, match="advance"):
        desk.node.advance()
