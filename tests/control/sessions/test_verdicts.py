"""Who is lost: silence, return, the suspended judgement, our own pauses, and a naive twin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.sessions.verdicts import (
    AGENT_GONE_S,
    GRACE_S,
    INTERVAL_S_MIN,
    SUSPENDED_S_MAX,
    Judgement,
    Standing,
    Verdicts,
    interval_s,
    limit_s,
)

BEAT = INTERVAL_S_MIN


class Cluster:
    """Nodes that beat every BEAT until they are told not to; judged every 0.1 s."""

    def __init__(self, nodes: int) -> None:
        self.now = 0.0
        self.verdicts = Verdicts()
        self.names = [f"n{number}" for number in range(nodes)]
        self.dead: set[str] = set()
        self.lost: list[str] = []
        self.back: list[str] = []
        self.suspended = False

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for number, name in enumerate(self.names):
                beats = round(self.now * 10) % 5 == number % 5
                if beats and name not in self.dead and self.verdicts.heard(name, BEAT, self.now):
                    self.back.append(name)
            judgement = self.verdicts.judge(self.now)
            self.lost += judgement.lost
            self.suspended = judgement.suspended


def test_a_node_that_closed_its_session_is_absent_and_lost_only_much_later() -> None:
    cluster = Cluster(20)
    cluster.run(5)
    cluster.dead = {"n3"}
    cluster.verdicts.closed("n3")
    cluster.run(AGENT_GONE_S - 1)
    assert not cluster.lost
    assert cluster.verdicts.standing("n3") is Standing.ABSENT
    cluster.run(2)
    assert cluster.lost == ["n3"]


def test_an_agent_that_comes_back_is_present_again() -> None:
    cluster = Cluster(20)
    cluster.run(5)
    cluster.dead = {"n3"}
    cluster.verdicts.closed("n3")
    cluster.run(5)
    cluster.dead = set()
    cluster.run(1)
    assert cluster.back == ["n3"]
    assert cluster.verdicts.standing("n3") is Standing.PRESENT
    cluster.dead = {"n3"}  # silent now, without a word
    cluster.run(3)
    assert cluster.lost == ["n3"]


def test_nobody_who_beats_is_lost() -> None:
    cluster = Cluster(20)
    cluster.run(60)
    assert not cluster.lost
    assert len(cluster.verdicts._deadlines) <= 20


def test_a_silent_node_is_lost_after_two_seconds_once() -> None:
    cluster = Cluster(20)
    cluster.run(5)
    cluster.dead = {"n3"}
    cluster.run(1.4)
    assert not cluster.lost
    cluster.run(0.8)
    assert cluster.lost == ["n3"]
    assert cluster.verdicts.standing("n3") is Standing.LOST
    cluster.run(30)
    assert cluster.lost == ["n3"]


def test_a_node_that_is_heard_again_is_back() -> None:
    cluster = Cluster(5)
    cluster.run(5)
    cluster.dead = {"n3"}
    cluster.run(5)
    cluster.dead = set()
    cluster.run(5)
    assert cluster.back == ["n3"]
    assert cluster.verdicts.standing("n3") is Standing.PRESENT
    cluster.dead = {"n3"}
    cluster.run(5)
    assert cluster.lost == ["n3", "n3"]


@pytest.mark.parametrize(("nodes", "dead"), [(1, 1), (2, 2), (3, 2), (10, 3), (100, 30)])
def test_few_are_judged(nodes: int, dead: int) -> None:
    cluster = Cluster(nodes)
    cluster.run(5)
    cluster.dead = set(cluster.names[:dead])
    cluster.run(3)
    assert set(cluster.lost) == cluster.dead


@pytest.mark.parametrize(("nodes", "dead"), [(10, 4), (100, 31), (5, 4)])
def test_many_at_once_suspend_the_judgement_for_a_while(nodes: int, dead: int) -> None:
    cluster = Cluster(nodes)
    cluster.run(5)
    cluster.dead = set(cluster.names[:dead])
    cluster.run(SUSPENDED_S_MAX)
    assert cluster.suspended
    assert not cluster.lost
    cluster.run(3)
    assert set(cluster.lost) == cluster.dead
    assert not cluster.suspended


def test_while_nobody_is_heard_nobody_is_judged() -> None:
    cluster = Cluster(3)
    cluster.run(5)
    cluster.dead = set(cluster.names)
    cluster.run(300)
    assert cluster.suspended
    assert not cluster.lost
    cluster.dead = {"n0"}
    cluster.run(5)
    assert cluster.lost == ["n0"]


def test_a_recovered_link_starts_the_next_suspension_anew() -> None:
    cluster = Cluster(10)
    cluster.run(5)
    for _ in range(3):
        cluster.dead = set(cluster.names[:6])
        cluster.run(SUSPENDED_S_MAX - 5)
        cluster.dead = set()
        cluster.run(5)
    assert not cluster.lost
    assert not cluster.back


def test_our_own_pause_is_no_silence() -> None:
    cluster = Cluster(2)
    cluster.run(5)
    cluster.now += 30
    assert cluster.verdicts.judge(cluster.now) == Judgement((), (), False)
    cluster.run(10)
    assert not cluster.lost
    cluster.now += 30
    cluster.dead = {"n1"}
    cluster.run(3)
    assert cluster.lost == ["n1"]


def test_a_node_without_a_session_has_time_to_find_us() -> None:
    cluster = Cluster(1)
    cluster.verdicts.expect("late", 0.0)
    cluster.run(GRACE_S - 0.2)
    assert not cluster.lost
    cluster.run(0.4)
    assert cluster.lost == ["late"]


def test_a_deleted_node_is_forgotten() -> None:
    cluster = Cluster(2)
    cluster.run(5)
    cluster.names.remove("n1")
    cluster.verdicts.forget("n1")
    cluster.run(GRACE_S)
    assert not cluster.lost
    assert cluster.verdicts.standing("n1") is Standing.PRESENT
    assert len(cluster.verdicts._deadlines) == 1


def test_a_longer_interval_gives_more_time() -> None:
    verdicts = Verdicts()
    verdicts.heard("slow", 4.0, 0.0)
    now = 0.0
    while not (lost := verdicts.judge(now).lost):
        now += 0.5
    assert (lost, now) == (("slow",), 10.0)


def test_the_interval_bounds_the_beats_of_all() -> None:
    assert [interval_s(n) for n in (0, 500, 501, 1000, 1001, 5000)] == [0.5, 0.5, 1, 1, 2, 8]
    assert all(n / interval_s(n) <= 1000 for n in range(0, 20_000, 7))
    assert (limit_s(0.5), limit_s(1.0), limit_s(2.0)) == (2.0, 2.5, 5.0)


@given(
    beats=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 30)), max_size=60),
)
def test_below_three_quiet_nodes_the_heap_agrees_with_a_plain_scan(
    beats: list[tuple[int, int]],
) -> None:
    """Only nodes 0 and 1 may fall silent; 2 to 4 beat at every step."""
    verdicts, now = Verdicts(), 0.0
    heard: dict[str, float] = {}
    lost: set[str] = set()
    for number, tenths in beats:
        for _ in range(tenths):
            now += 0.1
            for name in ("n2", "n3", "n4"):
                verdicts.heard(name, BEAT, now)
            silent = {n for n, at in heard.items() if at + 2.0 <= now and n not in lost}
            assert set(verdicts.judge(now).lost) == silent
            lost |= silent
        name = f"n{number % 2}"
        assert verdicts.heard(name, BEAT, now) == (name in lost)
        heard[name] = now
        lost.discard(name)
        assert all((verdicts.standing(n) is Standing.LOST) == (n in lost) for n in heard)
