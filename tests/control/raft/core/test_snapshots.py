"""Raft 7: followers that need what is compacted, and what becomes of snapshots on the way."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic, SnapshotUnavailableError
from holdfast.control.raft.messages import (
    ConfState,
    Entry,
    HardState,
    Message,
    MessageType,
    Snapshot,
)
from holdfast.control.raft.progress import ProgressState
from tests.control.raft.core.groups import Group, node_with, perform, storage_with, told

THREE = ConfState((1, 2, 3))


def _behind() -> Group:
    """Leader 1 has compacted what 3 needs; 3 can be reached, and nobody has ticked since."""
    group = Group(3).elect(1)
    group.isolate(3)
    group.propose(1, *[b"%d" % i for i in range(8)])
    storage = group.storages[1]
    storage.create_snapshot(group.nodes[1].raft.log.applied, group.conf, b"state")
    storage.compact(6)
    group.heal()
    return group


def test_a_follower_that_is_too_far_behind_gets_a_snapshot_and_then_the_log() -> None:
    group = _behind()
    group.tick(1)
    (sent,) = group.of_type(MessageType.SNAP)
    assert (sent.to, sent.snapshot) == (3, Snapshot(9, 1, group.conf, b"state"))
    assert group.storages[3].snapshot() == sent.snapshot
    assert group.nodes[1].raft.tracker.progress[3].state is ProgressState.REPLICATE
    group.propose(1, b"after")
    assert group.data(3) == [b"after"]
    assert group.log(3) == [(10, 1)]


def test_nothing_else_is_sent_while_a_snapshot_is_on_its_way() -> None:
    group = _behind()
    group.lose = lambda m: m.type is MessageType.SNAP
    group.tick(1)
    group.sent.clear()
    group.propose(1, b"x")
    group.tick(1, 3)
    kinds = [m.type for m in group.sent if m.to == 3]
    assert kinds == [MessageType.HEARTBEAT] * 3
    progress = group.nodes[1].raft.tracker.progress[3]
    assert (progress.state, progress.pending_snapshot) == (ProgressState.SNAPSHOT, 9)


@pytest.mark.parametrize(("ok", "next_index"), [(True, 10), (False, 2)])
def test_how_the_transfer_ended_decides_where_probing_starts(ok: bool, next_index: int) -> None:
    group = _behind()
    group.lose = lambda m: m.type is MessageType.SNAP
    group.tick(1)
    group.nodes[1].report_snapshot(3, ok=ok)
    progress = group.nodes[1].raft.tracker.progress[3]
    assert (progress.state, progress.next) == (ProgressState.PROBE, next_index)
    assert progress.is_paused()
    assert progress.pending_snapshot == 0
    assert not group.nodes[1].has_ready()


def test_a_failed_snapshot_is_tried_again_after_a_heartbeat() -> None:
    group = _behind()
    group.lose = lambda m: m.type is MessageType.SNAP
    group.tick(1)
    group.nodes[1].report_snapshot(3, ok=False)
    group.heal()
    group.tick(1)
    assert len(group.of_type(MessageType.SNAP)) == 2
    assert group.storages[3].last_index() == 9


def test_reports_about_members_without_a_snapshot_are_ignored() -> None:
    group = Group(3).elect(1)
    before = told(group.nodes[1])
    group.nodes[1].report_snapshot(2, ok=False)
    assert told(group.nodes[1]) == before


def test_an_answer_to_an_append_ends_waiting_wherever_the_state_came_from() -> None:
    group = _behind()
    group.lose = lambda m: m.type is MessageType.SNAP
    group.tick(1)
    answer = Message(MessageType.APP_RESP, to=1, sender=3, term=1, index=7)
    group.nodes[1].step(answer)
    progress = group.nodes[1].raft.tracker.progress[3]
    assert (progress.state, progress.match) == (ProgressState.REPLICATE, 7)


def test_an_answer_below_the_log_does_not_end_waiting() -> None:
    group = _behind()
    group.lose = lambda m: m.type is MessageType.SNAP
    group.tick(1)
    group.nodes[1].step(Message(MessageType.APP_RESP, to=1, sender=3, term=1, index=4))
    assert group.nodes[1].raft.tracker.progress[3].state is ProgressState.SNAPSHOT


def test_no_snapshot_for_whom_nobody_heard_of() -> None:
    group = _behind()
    progress = group.nodes[1].raft.tracker.progress[3]
    progress.become_probe()
    progress.recent_active = False
    group.propose(1, b"x")
    assert not group.of_type(MessageType.SNAP)


def test_a_snapshot_that_is_not_ready_is_asked_for_again() -> None:
    group = _behind()
    log, ready = group.nodes[1].raft.log, []

    class NotYet:
        def __getattr__(self, name: str) -> object:
            if name == "snapshot" and not ready:
                return self._refuse
            return getattr(group.storages[1], name)

        def _refuse(self) -> Snapshot:
            raise SnapshotUnavailableError

    log.storage = NotYet()  # type: ignore[assignment]
    group.tick(1)
    assert not group.of_type(MessageType.SNAP)
    assert group.nodes[1].raft.tracker.progress[3].state is not ProgressState.SNAPSHOT
    ready.append(True)
    group.tick(1)
    assert len(group.of_type(MessageType.SNAP)) == 1
    assert group.storages[3].last_index() == 9


def test_a_leader_that_compacted_without_a_snapshot_panics() -> None:
    group = Group(3).elect(1)
    group.isolate(3)
    group.propose(1, *[b"x"] * 5)
    group.storages[1].compact(4)
    group.heal()
    with pytest.raises(RaftPanic, match="no snapshot"):
        group.tick(1)


class TestRestoring:
    @pytest.mark.parametrize(
        ("snapshot", "answered"),
        [
            (Snapshot(1, 1, THREE), 2),  # behind the commit index
            (Snapshot(2, 1, THREE), 2),
            (Snapshot(9, 2, ConfState((2, 3))), 2),  # not a member
            (None, 2),
        ],
    )
    def test_what_does_not_help_is_ignored(self, snapshot: Snapshot | None, answered: int) -> None:
        node = node_with(storage_with(THREE, (1, 1, 1), HardState(1, 0, 2)))
        node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
        ready = node.ready()
        (answer,) = [m for m in ready.messages if m.type is MessageType.APP_RESP]
        assert (answer.index, ready.snapshot) == (answered, None)
        assert node.raft.log.last_index() == 3

    def test_a_log_that_reaches_it_only_commits(self) -> None:
        node = node_with(storage_with(THREE, (1, 1, 1), HardState(1, 0, 0)))
        snapshot = Snapshot(3, 1, THREE)
        node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
        assert node.raft.log.committed == 3
        assert node.ready().snapshot is None

    def test_it_replaces_log_and_configuration(self) -> None:
        storage = storage_with(THREE, (1, 1, 1), HardState(1, 0, 1))
        node = node_with(storage)
        conf = ConfState((1, 2), (4,), (2, 3), (3,), auto_leave=True)
        snapshot = Snapshot(7, 2, conf, b"s")
        node.step(Message(MessageType.SNAP, to=1, sender=2, term=2, snapshot=snapshot))
        assert node.raft.tracker.conf_state() == conf
        ready = node.ready()
        assert ready.snapshot == snapshot
        assert ready.hard_state == HardState(2, 0, 7)
        assert not ready.entries
        assert not ready.committed_entries
        assert [(m.type, m.index) for m in ready.messages] == [(MessageType.APP_RESP, 7)]
        storage.set_hard_state(ready.hard_state)
        storage.apply_snapshot(ready.snapshot)
        node.advance()
        assert node.raft.log.applied == 7
        assert node.raft.log.unstable.snapshot is None
        assert not node.has_ready()

    def test_entries_that_follow_it_wait_until_it_is_applied(self) -> None:
        storage = storage_with(THREE)
        node = node_with(storage)
        snapshot = Snapshot(7, 1, THREE)
        node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=snapshot))
        message = Message(MessageType.APP, to=1, sender=2, term=1, index=7, log_term=1, commit=8)
        message.entries = [Entry(8, 1, data=b"x")]
        ready = node.ready()
        node.step(message)
        assert not node.raft.log.has_next_committed(allow_unstable=True)
        storage.apply_snapshot(ready.snapshot or Snapshot())
        node.advance()
        _, applied = perform(node, storage)
        assert [entry.data for entry in applied] == [b"x"]

    def test_a_configuration_that_is_none_panics(self) -> None:
        node = node_with(storage_with(THREE))
        wrong = Snapshot(7, 1, ConfState((1, 2), (2,)))
        with pytest.raises(RaftPanic):
            node.step(Message(MessageType.SNAP, to=1, sender=2, term=1, snapshot=wrong))
