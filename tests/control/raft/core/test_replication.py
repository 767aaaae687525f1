"""Raft 5.3 and 5.4.2: logs grow alike, and what is committed."""

from __future__ import annotations

import pytest

from holdfast.control.raft.errors import RaftPanic
from holdfast.control.raft.messages import (
    NO_LIMIT,
    ConfState,
    Entry,
    HardState,
    Message,
    MessageType,
)
from holdfast.control.raft.node import ProposalDroppedError, StepError
from holdfast.control.raft.progress import ProgressState
from tests.control.raft.core.groups import Group, node_with, storage_with

THREE = ConfState((1, 2, 3))


def test_a_leader_sends_what_it_is_given_and_commits_at_a_majority() -> None:
    group = Group(3).elect(1)
    group.nodes[1].propose(b"x")
    messages = group.round_of(1)
    appends = [m for m in messages if m.type is MessageType.APP]
    assert [(m.to, m.index, m.log_term, m.commit) for m in appends] == [(2, 1, 1, 1), (3, 1, 1, 1)]
    assert all(m.entries == [Entry(2, 1, data=b"x")] for m in appends)
    group.deliver([m for m in messages if m.to == 2])
    group.run()
    assert group.data(1) == group.data(2) == [b"x"]


@pytest.mark.parametrize(
    ("size", "acks", "committed"),
    [(1, (), True), (3, (), False), (3, (2,), True), (5, (2,), False), (5, (2, 3), True)],
)
def test_an_entry_is_committed_by_a_majority(
    size: int, acks: tuple[int, ...], committed: bool
) -> None:
    group = Group(size).elect(1)
    group.isolate(*(i for i in group.nodes if i != 1 and i not in acks))
    group.propose(1, b"x")
    assert group.data(1) == ([b"x"] if committed else [])
    assert all(group.data(i) == group.data(1) for i in acks)


@pytest.mark.parametrize("tail", [(), (2,), (1,), (1, 1), (1, 2)])
def test_a_new_leader_commits_the_entries_of_older_terms_with_its_first(
    tail: tuple[int, ...],
) -> None:
    group = Group(3, logs={1: tail}).elect(1)
    expected = [b"%d" % i for i in range(1, len(tail) + 1)]
    assert group.data(1) == group.data(2) == group.data(3) == expected


@pytest.mark.parametrize(("acked", "commit"), [(1, 0), (2, 0), (3, 3)])
def test_only_an_entry_of_the_own_term_is_committed_by_counting(acked: int, commit: int) -> None:
    group = Group(3, logs={1: (1, 2)})
    group.lose = lambda m: m.type in (MessageType.APP, MessageType.APP_RESP)
    leader = group.elect(1).nodes[1]
    assert leader.raft.term == 3
    leader.step(Message(MessageType.APP_RESP, to=1, sender=2, term=3, index=acked))
    assert leader.raft.log.committed == commit


@pytest.mark.parametrize(
    ("index", "term", "reject", "hint"),
    [
        (0, 0, False, (0, 0)),
        (1, 1, False, (0, 0)),
        (2, 2, False, (0, 0)),
        (1, 2, True, (1, 1)),
        (2, 3, True, (2, 2)),
        (3, 3, True, (2, 2)),
        (2, 1, True, (1, 1)),
    ],
)
def test_a_follower_takes_only_what_follows_an_entry_it_has(
    index: int, term: int, reject: bool, hint: tuple[int, int]
) -> None:
    node = node_with(storage_with(THREE, (1, 2), HardState(term=2)))
    node.step(Message(MessageType.APP, to=1, sender=2, term=3, index=index, log_term=term))
    (answer,) = node.ready().messages
    assert (answer.index, answer.reject) == (index, reject)
    assert (answer.reject_hint, answer.log_term) == hint


@pytest.mark.parametrize(
    ("index", "term", "terms", "log", "written"),
    [
        (2, 2, (3,), (1, 2, 3), (3,)),
        (1, 1, (3, 4), (1, 3, 4), (3, 4)),
        (0, 0, (1,), (1, 2), ()),  # already there: what follows it stays
        (0, 0, (3,), (3,), (3,)),
        (0, 0, (1, 2, 2), (1, 2, 2), (2,)),
        (1, 1, (), (1, 2), ()),
    ],
)
def test_a_conflicting_entry_and_all_after_it_go(
    index: int, term: int, terms: tuple[int, ...], log: tuple[int, ...], written: tuple[int, ...]
) -> None:
    storage = storage_with(THREE, (1, 2), HardState(term=2))
    node = node_with(storage)
    entries = [Entry(index + i, each) for i, each in enumerate(terms, 1)]
    node.step(
        Message(
            MessageType.APP, sender=2, to=1, term=4, index=index, log_term=term, entries=entries
        )
    )
    ready = node.ready()
    assert tuple(e.term for e in ready.entries) == written
    storage.append(ready.entries)
    node.advance()
    assert tuple(e.term for e in storage.entries(1, storage.last_index() + 1, NO_LIMIT)) == log


@pytest.mark.parametrize(
    ("entries", "commit", "committed"),
    [((), 1, 1), ((), 9, 2), ((Entry(3, 2),), 3, 3), ((Entry(3, 2),), 9, 3), ((), 0, 0)],
)
def test_a_follower_commits_what_it_has_and_the_leader_committed(
    entries: tuple[Entry, ...], commit: int, committed: int
) -> None:
    node = node_with(storage_with(THREE, (1, 2), HardState(term=2)))
    node.step(
        Message(
            MessageType.APP, sender=2, to=1, term=2, index=2, log_term=2, entries=entries,
            commit=commit,
        )
    )  # fmt: skip
    assert node.raft.log.committed == committed


def test_duplicates_and_late_appends_do_no_harm() -> None:
    group = Group(3).elect(1).propose(1, b"a", b"b", b"c")
    before = [group.log(i) for i in group.nodes]
    for message in list(group.sent):
        group.deliver([message, message])
    group.run()
    assert [group.log(i) for i in group.nodes] == before
    assert group.data(2) == [b"a", b"b", b"c"]


def test_an_append_below_the_commit_index_is_answered_with_it() -> None:
    group = Group(3).elect(1).propose(1, b"a", b"b")
    node = group.nodes[2]
    node.step(Message(MessageType.APP, to=2, sender=1, term=1, index=1, log_term=9))
    (answer,) = group.round_of(2)
    assert (answer.type, answer.index, answer.reject) == (MessageType.APP_RESP, 3, False)


def test_a_commit_index_beyond_the_log_panics() -> None:
    node = node_with(storage_with(THREE, (1,), HardState(term=1)))
    with pytest.raises(RaftPanic, match="lost"):
        node.step(Message(MessageType.HEARTBEAT, to=1, sender=2, term=1, commit=9))


def test_a_conflict_with_a_committed_entry_panics() -> None:
    node = node_with(storage_with(THREE, (1, 1), HardState(1, 0, 2)))
    with pytest.raises(RaftPanic, match="committed"):
        node.raft.log.maybe_append(0, 0, [Entry(1, 2)], 0)


# Figure 7 of the paper: the leader of term 8 and followers it may meet.
LEADER = (1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
FIGURE_7 = {
    "a": LEADER[:9],
    "b": LEADER[:4],
    "c": (*LEADER, 6),
    "d": (*LEADER, 7, 7),
    "e": (1, 1, 1, 4, 4, 4, 4),
    "f": (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
}


@pytest.mark.parametrize("name", list(FIGURE_7))
@pytest.mark.parametrize("max_size", [NO_LIMIT, 0])
def test_a_leader_brings_any_log_level(name: str, max_size: int) -> None:
    logs = {1: LEADER, 2: FIGURE_7[name], 3: ()}
    group = Group(3, logs=logs, max_size_per_msg=max_size)
    leader = group.nodes[1].raft
    leader.become_follower(7, 0)
    group.elect(1)  # the third, whose log is empty, votes for it
    assert leader.term == 8
    assert group.log(1) == group.log(2) == group.log(3)
    assert group.log(1)[:10] == list(enumerate(LEADER, 1))


def test_a_divergent_tail_costs_a_round_a_term_not_an_entry() -> None:
    leader, follower = (1, *(3,) * 60, 5), (1, *(2,) * 80)
    group = Group(3, logs={1: leader, 2: follower, 3: ()}).elect(1)
    assert group.log(1) == group.log(2)
    rejected = [m for m in group.of_type(MessageType.APP_RESP) if m.reject and m.sender == 2]
    assert len(rejected) <= 3


class TestProposals:
    def test_are_passed_on_by_followers(self) -> None:
        group = Group(3).elect(1).propose(2, b"x")
        assert group.data(1) == group.data(3) == [b"x"]

    def test_are_dropped_where_forwarding_is_off(self) -> None:
        group = Group(3, disable_proposal_forwarding=True).elect(1)
        with pytest.raises(ProposalDroppedError):
            group.nodes[2].propose(b"x")

    @pytest.mark.parametrize("candidate", [False, True])
    def test_are_dropped_without_a_leader(self, candidate: bool) -> None:
        group = Group(3)
        group.isolate(1)
        if candidate:
            group.elect(1)
        with pytest.raises(ProposalDroppedError):
            group.nodes[1].propose(b"x")

    def test_of_nothing_are_refused(self) -> None:
        group = Group(3).elect(1)
        with pytest.raises(StepError, match="at least one entry"):
            group.nodes[1].step(Message(MessageType.PROP, to=1, sender=2))
        assert group.run().log(1) == [(1, 1)]


class TestFlow:
    """Probe and replicate: what is on its way is bounded, and losses are noticed."""

    def test_a_window_of_messages_bounds_the_flow(self) -> None:
        group = Group(2, max_inflight_msgs=3).elect(1)
        leader = group.nodes[1]
        for _ in range(10):
            leader.propose(b"x")
        appends = [m for m in group.round_of(1) if m.type is MessageType.APP]
        assert [len(m.entries) for m in appends] == [1, 1, 1]
        group.deliver(appends[:1])
        group.deliver(group.round_of(2))
        more = [m for m in group.round_of(1) if m.type is MessageType.APP]
        assert sum(len(m.entries) for m in more) == 7  # the freed place takes all the rest
        group.deliver([*appends[1:], *more])
        assert group.run().data(2) == [b"x"] * 10

    def test_a_window_of_bytes_bounds_the_flow(self) -> None:
        group = Group(2, max_size_per_msg=0, max_inflight_bytes=250).elect(1)
        leader = group.nodes[1]
        for _ in range(8):
            leader.propose(b"x" * 100)
        appends = [m for m in group.round_of(1) if m.type is MessageType.APP]
        assert len(appends) == 3
        group.deliver(appends)
        assert group.run().data(2) == [b"x" * 100] * 8

    def test_messages_are_cut_at_the_limit_of_bytes(self) -> None:
        entry = Entry(2, 1, data=b"x" * 100).size
        group = Group(2, max_size_per_msg=2 * entry).elect(1)
        group.isolate(2)
        group.propose(1, *[b"x" * 100] * 7)
        group.heal()
        group.nodes[1].report_unreachable(2)
        group.sent.clear()
        group.tick(1)
        sizes = [len(m.entries) for m in group.of_type(MessageType.APP) if m.entries]
        assert max(sizes) == 2
        assert group.data(2) == [b"x" * 100] * 7

    def test_a_full_window_of_lost_messages_recovers_by_heartbeats(self) -> None:
        group = Group(2, max_inflight_msgs=2).elect(1)
        group.lose = lambda m: m.type is MessageType.APP
        group.propose(1, b"a", b"b", b"c")
        assert group.nodes[1].raft.tracker.progress[2].is_paused()
        group.heal()
        group.tick(1)
        assert group.data(2) == [b"a", b"b", b"c"]

    def test_an_unreachable_follower_is_probed_and_one_message_at_a_time(self) -> None:
        group = Group(2).elect(1)
        group.isolate(2)
        leader = group.nodes[1]
        leader.report_unreachable(2)
        group.propose(1, b"a", b"b", b"c")
        progress = leader.raft.tracker.progress[2]
        assert progress.state is ProgressState.PROBE
        assert len([m for m in group.of_type(MessageType.APP) if m.entries and m.to == 2]) == 2
        group.heal()
        group.tick(1)
        assert progress.state is ProgressState.REPLICATE
        assert group.data(2) == [b"a", b"b", b"c"]

    def test_reports_about_strangers_are_ignored(self) -> None:
        group = Group(2).elect(1)
        group.nodes[1].report_unreachable(9)
        group.nodes[1].report_snapshot(9, ok=True)
        group.nodes[2].report_unreachable(1)
        assert not group.nodes[1].has_ready()

    def test_commit_indexes_never_run_ahead_of_what_a_follower_has(self) -> None:
        group = Group(3).elect(1)
        group.isolate(3)
        group.propose(1, b"a", b"b")
        group.lose = lambda m: m.type is MessageType.APP and m.to == 3
        group.cut = []
        group.sent.clear()
        group.tick(1)
        (beat,) = [m for m in group.of_type(MessageType.HEARTBEAT) if m.to == 3]
        assert beat.commit == 1


class TestUncommittedLimit:
    def test_proposals_are_dropped_beyond_it_and_taken_again_after(self) -> None:
        group = Group(3, max_uncommitted_entries_size=250).elect(1)
        leader = group.nodes[1]
        group.isolate(1)
        for _ in range(2):
            leader.propose(b"x" * 100)
        with pytest.raises(ProposalDroppedError):
            leader.propose(b"x" * 100)
        leader.propose(b"")  # empty ones count nothing
        leader.propose(b"x" * 50)
        group.heal()
        group.tick(1)
        assert leader.raft.uncommitted_bytes == 0
        assert group.nodes[2].raft.uncommitted_bytes == 0  # never counted, never below
        group.propose(1, b"y" * 240)
        assert group.data(2)[-1] == b"y" * 240

    def test_one_of_any_size_fits_where_nothing_is_uncommitted(self) -> None:
        group = Group(3, max_uncommitted_entries_size=10).elect(1).propose(1, b"x" * 1000)
        assert group.data(3) == [b"x" * 1000]

    def test_it_begins_anew_with_a_term(self) -> None:
        group = Group(3, max_uncommitted_entries_size=100).elect(1)
        group.isolate(1)
        group.nodes[1].propose(b"x" * 100)
        assert group.nodes[1].raft.uncommitted_bytes == 100
        group.nodes[1].raft.become_follower(2, 0)
        assert group.nodes[1].raft.uncommitted_bytes == 0
