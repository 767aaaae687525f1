"""What a node makes of what is stored (Raft 5.1, dissertation 3.8), and settings that make none."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.control.raft.core.config import Config
from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    ConfState,
    Entry,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.node import ReadOnlyOption, Role
from holdfast.control.raft.storage import MemoryStorage
from tests.control.raft.core.groups import Group, node_with, perform, storage_with

THREE = ConfState((1, 2, 3))


def test_term_vote_and_commit_come_back_and_the_rest_is_applied_again() -> None:
    storage = storage_with(THREE, (1, 1, 2), HardState(4, 3, 2))
    node = node_with(storage)
    assert node.status().hard_state == HardState(4, 3, 2)
    ready = node.ready()
    assert ready.hard_state is None
    assert not ready.must_sync
    assert [entry.index for entry in ready.committed_entries] == [1, 2]
    node.advance()
    assert not node.has_ready()


def test_what_was_applied_is_not_applied_again() -> None:
    storage = storage_with(THREE, (1, 1, 2), HardState(4, 3, 3))
    node = node_with(storage, applied=2)
    _, applied = perform(node, storage)
    assert [entry.index for entry in applied] == [3]


def test_from_a_snapshot() -> None:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(5, 2, THREE))
    storage.append([Entry(6, 2), Entry(7, 3)])
    storage.set_hard_state(HardState(3, 0, 6))
    node = node_with(storage, applied=5)
    _, applied = perform(node, storage)
    assert [entry.index for entry in applied] == [6]
    assert node.raft.log.last_id() == (7, 3)


def test_an_unsorted_configuration_is_taken() -> None:
    assert node_with(storage_with(ConfState((3, 1, 2)))).raft.tracker.conf_state() == THREE


@pytest.mark.parametrize("commit", [1, 4])
def test_a_commit_index_outside_of_the_log_panics(commit: int) -> None:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(2, 1, THREE))
    storage.append([Entry(3, 1)])
    storage.set_hard_state(HardState(1, 0, commit))
    with pytest.raises(RaftPanic, match="out of range"):
        node_with(storage)


def test_an_applied_index_beyond_the_commit_index_panics() -> None:
    with pytest.raises(RaftPanic, match="out of range"):
        node_with(storage_with(THREE, (1, 1), HardState(1, 0, 1)), applied=2)


def test_an_impossible_configuration_panics() -> None:
    with pytest.raises(RaftPanic, match="restored"):
        node_with(storage_with(ConfState((1, 2), (2,))))


def test_a_vote_survives_a_crash() -> None:
    group = Group(3)
    group.nodes[3].step(Message(MessageType.VOTE, to=3, sender=1, term=1))
    group.round_of(3)
    node = group.join(3, group.storages[3])
    node.step(Message(MessageType.VOTE, to=3, sender=2, term=1))
    (answer,) = group.round_of(3)
    assert answer.reject


def test_a_whole_group_restarts_with_all_that_was_committed() -> None:
    group = Group(3).elect(1).propose(1, b"a", b"b")
    for member in (1, 2, 3):
        group.join(member, group.storages[member])
        group.applied[member].clear()
    assert {group.role(member) for member in group.nodes} == {Role.FOLLOWER}
    group.elect(3).propose(3, b"c")
    assert group.data(1) == group.data(2) == group.data(3) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"id": 0}, "id"),
        ({"id": LOCAL_APPEND}, "id"),
        ({"heartbeat_tick": 0}, "heartbeat_tick"),
        ({"election_tick": 1}, "election_tick"),
        ({"max_inflight_msgs": 0}, "max_inflight_msgs"),
        ({"max_size_per_msg": 10, "max_inflight_bytes": 9}, "max_inflight_bytes"),
        ({"read_only_option": ReadOnlyOption.LEASE_BASED}, "check_quorum"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, Any], named: str) -> None:
    good = {
        "id": 1,
        "storage": MemoryStorage(),
        "randomness": lambda _n: 0,
        "election_tick": 10,
        "heartbeat_tick": 1,
    }
    Config(**good)
    with pytest.raises(ValueError, match=named):
        Config(**{**good, **settings})


def test_events_are_told_to_the_logger() -> None:
    lines: list[str] = []
    group = Group(3, logger=lines.append, pre_vote=True, max_uncommitted_entries_size=1)
    group.elect(1).propose(1, b"a")
    group.nodes[1].transfer_leader(2)
    group.run()
    assert any("leads term 1" in line for line in lines)
    assert any("hands term 1 over to 2" in line for line in lines)
