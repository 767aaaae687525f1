from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.controllers.deployments.sizes import (
    Set,
    Wish,
    bounds,
    recreated,
    rolled,
    scaled,
)


def sets(*replicas: tuple[int, int]) -> list[Set]:
    """Sets s0, s1, … from (replicas, available)."""
    return [Set(f"s{i}", asked, there, i) for i, (asked, there) in enumerate(replicas)]


@pytest.mark.parametrize(
    ("wish", "new", "olds", "expected"),
    [
        (Wish(10, 3, 2), (0, 0), [(10, 10)], {"new": 3}),
        (Wish(10, 3, 2), (3, 0), [(10, 10)], {"s0": 8}),
        (Wish(10, 3, 2), (5, 3), [(8, 8)], {"s0": 5}),
        (Wish(10, 3, 2), (5, 0), [(8, 8)], {}),
        (Wish(10, 0, 1), (0, 0), [(10, 10)], {"s0": 9}),
        (Wish(10, 3, 2), (3, 0), [(10, 5)], {"s0": 8}),  # what is not available goes first
        (Wish(10, 3, 2), (12, 12), [], {"new": 10}),
        (Wish(10, 3, 2), (10, 10), [(3, 3)], {"s0": 0}),
        (Wish(10, 0, 3), (0, 0), [(4, 4), (6, 6)], {"s0": 1}),
        (Wish(10, 0, 5), (0, 0), [(4, 4), (6, 6)], {"s0": 0, "s1": 5}),
    ],
)
def test_one_step_of_a_rolling_update(
    wish: Wish, new: tuple[int, int], olds: list[tuple[int, int]], expected: dict[str, int]
) -> None:
    assert rolled(wish, Set("new", *new, 99), sets(*olds)) == expected


@pytest.mark.parametrize(
    ("wish", "new", "olds", "expected"),
    [
        (Wish(15, 3, 2), Set("new", 5, 0, 9, 13), [Set("old", 8, 8, 1, 13)], {"old": 11, "new": 7}),
        (Wish(5, 0, 0), None, [Set("old", 3, 3, 1)], {"old": 5}),
        (Wish(5, 0, 0), Set("new", 0, 0, 2), [Set("old", 0, 0, 1)], {"new": 5}),
        (Wish(0, 3, 2), Set("new", 5, 5, 9, 13), [Set("old", 8, 8, 1, 13)], {"new": 0, "old": 0}),
        (Wish(5, 1, 1), Set("new", 5, 5, 9), [Set("old", 1, 1, 1)], {"old": 0}),
        (Wish(8, 0, 1), Set("new", 2, 2, 9, 4), [Set("old", 2, 2, 1, 4)], {"new": 4, "old": 4}),
    ],
)  # fmt: skip
def test_scaling_spreads_over_the_sets(
    wish: Wish, new: Set | None, olds: list[Set], expected: dict[str, int]
) -> None:
    assert scaled(wish, new, olds, rolling=True) == expected


def test_recreation_waits_for_the_last_old_pod() -> None:
    wish, new = Wish(3, 0, 3), Set("new", 0, 0, 9)
    assert recreated(wish, new, sets((3, 3)), old_pods_left=True) == {"s0": 0}
    assert recreated(wish, new, sets((0, 0)), old_pods_left=True) == {}
    assert recreated(wish, new, sets((0, 0)), old_pods_left=False) == {"new": 3}


def test_a_rollout_can_always_move() -> None:
    assert bounds(10, 0, 0) == Wish(10, 0, 1)
    assert bounds(2, 1, 9) == Wish(2, 1, 2)


counts = st.integers(0, 30)


@given(
    st.builds(bounds, counts, st.integers(0, 10), st.integers(0, 10)),
    st.lists(st.tuples(counts, counts), max_size=4),
    st.tuples(counts, counts),
)
def test_any_rollout_ends_and_keeps_its_bounds(
    wish: Wish, olds: list[tuple[int, int]], new: tuple[int, int]
) -> None:
    """From any state, when pods become available, the new set ends with all replicas. No step
    goes above the surge, nor takes available pods below the minimum that was there."""
    state = {s.name: s for s in sets(*((asked, min(asked, there)) for asked, there in olds))}
    state["new"] = Set("new", new[0], min(new), 99)
    for _ in range(200):
        before = sum(s.replicas for s in state.values())
        available = sum(s.available for s in state.values())
        step = rolled(wish, state["new"], [s for n, s in state.items() if n != "new"])
        for name, size in step.items():
            old = state[name]
            state[name] = old._replace(replicas=size, available=min(old.available, size))
        after = sum(s.replicas for s in state.values())
        assert after <= max(before, wish.pods_max)
        left = sum(s.available for s in state.values())
        if wish.replicas and state["new"].replicas <= wish.replicas and "new" not in step:
            assert left >= min(available, wish.available_min)
        if not step:
            if all(s.available == s.replicas for s in state.values()):
                break
            state = {n: s._replace(available=s.replicas) for n, s in state.items()}
    assert {n: s.replicas for n, s in state.items() if s.replicas} == (
        {"new": wish.replicas} if wish.replicas else {}
    )


@given(
    st.builds(bounds, counts, st.integers(0, 10), st.integers(0, 10)),
    st.lists(st.tuples(counts, st.integers(0, 60)), min_size=1, max_size=4),
)
def test_scaling_hits_the_total_and_no_set_goes_below_nothing(
    wish: Wish, olds: list[tuple[int, int]]
) -> None:
    olds_ = [Set(f"s{i}", asked, 0, i, sized) for i, (asked, sized) in enumerate(olds)]
    result = scaled(wish, None, olds_, rolling=True)
    after = {s.name: result.get(s.name, s.replicas) for s in olds_}
    assert all(size >= 0 for size in after.values())
    active = [s for s in olds_ if s.replicas]
    if len(active) > 1:
        assert sum(after.values()) == wish.pods_max
    else:
        assert sum(after.values()) == wish.replicas
