from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.control.scheduler.placement import place
from holdfast.control.scheduler.ranking import TIE_BREAK, Ranking
from holdfast.control.scheduler.table import SLOTS_MIN
from tests.control.scheduler.clusters import many, node, rng, tainted, view

acts = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from("ab"), st.integers(1, 40)),
        st.tuples(st.just("forget"), st.sampled_from("ab"), st.integers(0, 40)),
        st.tuples(st.just("taint"), st.just(""), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.just(""), st.integers(0, 9)),
        st.tuples(st.just("grow"), st.just(""), st.integers(10, 12)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(acts)
def test_a_mended_ranking_equals_a_fresh_one(found: list[tuple[str, str, int]]) -> None:
    cluster = view(*(node(f"n{n}", cpu=str(2 + n)) for n in range(10)))
    kinds = {owner: many(40, owner, cpu="250m", memory="100Mi") for owner in "ab"}
    kept = {owner: cluster.rankings.of(pods[0].shape, rng()) for owner, pods in kinds.items()}
    for act, owner, number in found:
        if act == "place":
            free = [p for p in kinds[owner] if not cluster.table.node_of(p.key)]
            place(cluster, free[:number], rng())
        elif act == "forget":
            cluster.table.forget(("default", f"{owner}-{number}"))
        elif act == "taint":
            cluster.table.set_node(tainted(node(f"n{number}"), "k"))
        elif act == "drop":
            cluster.table.drop_node(f"n{number}")
        else:
            cluster.table.set_node(node(f"n{number}", zone="b"))
        for owner_, ranking in kept.items():
            ranking.best()
            fresh = Ranking(kinds[owner_][0].shape, cluster.table, rng())
            np.testing.assert_allclose(ranking._score, fresh._score, atol=2 * TIE_BREAK)
            assert ranking.reasons() == fresh.reasons()


def test_a_ranking_follows_a_table_that_grows() -> None:
    cluster = view()
    pods = many(3 * SLOTS_MIN)
    assert cluster.rankings.of(pods[0].shape, rng()).best() == -1
    for number in range(3 * SLOTS_MIN):
        cluster.table.set_node(node(f"n{number}", pods="1"))
    assert len(place(cluster, pods, rng()).bindings) == 3 * SLOTS_MIN


def test_pods_held_on_a_node_before_it_is_known_count_when_it_comes() -> None:
    cluster = view()
    first, second = many(2, cpu="3")
    cluster.table.assume(first.key, "n1", first.shape)
    cluster.table.set_node(node("n1", cpu="4"))
    assert not place(cluster, [second], rng()).bindings
    cluster.table.drop_node("n1")
    cluster.table.set_node(node("n1", cpu="8"))
    assert place(cluster, [second], rng()).bindings
