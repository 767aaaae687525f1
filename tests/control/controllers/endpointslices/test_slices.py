from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.controllers.endpointslices.slices import (
    ENDPOINTS_MAX,
    Endpoint,
    Existing,
    Group,
    Plan,
    Port,
    plan,
)

HTTP = Group("IPv4", (Port("", "TCP", 80),))
HTTPS = Group("IPv4", (Port("", "TCP", 443),))


def endpoint(number: int, ready: bool = True) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", ready, ready, False, "n1", f"p{number}", f"u{number}")


def rows(*numbers: int) -> dict[str, Endpoint]:
    return {f"p{number}": endpoint(number) for number in numbers}


def test_makes_slices_of_a_hundred() -> None:
    made = plan({HTTP: rows(*range(250))}, [])
    assert [len(found) for _, found in made.created] == [100, 100, 50]


def test_touches_only_the_slice_of_a_changed_endpoint() -> None:
    first, second = rows(*range(100)), rows(*range(100, 150))
    existing = [Existing("a", HTTP, first), Existing("b", HTTP, second)]
    wanted = {**first, **second, "p120": endpoint(120, ready=False)}
    made = plan({HTTP: wanted}, existing)
    assert list(made.updated) == ["b"]
    assert not made.created
    assert not made.deleted


def test_new_endpoints_go_where_something_changes_anyway() -> None:
    existing = [Existing("a", HTTP, rows(1, 2)), Existing("b", HTTP, rows(3, 4))]
    made = plan({HTTP: rows(1, 2, 3, 5)}, existing)
    assert list(made.updated) == ["b"]


def test_what_is_empty_or_of_other_ports_goes() -> None:
    existing = [Existing("a", HTTP, rows(1)), Existing("b", HTTPS, rows(1))]
    assert plan({HTTP: rows(1)}, existing) == Plan(deleted=["b"])
    assert plan({}, existing) == Plan(deleted=["a", "b"])


numbers = st.lists(st.integers(0, 300), unique=True, max_size=260)
splits = st.lists(st.lists(st.integers(0, 300), unique=True, max_size=100), max_size=4)


@given(numbers, splits)
def test_any_state_becomes_what_is_wanted_and_then_stays(
    wanted: list[int], split: list[list[int]]
) -> None:
    seen: set[int] = set()
    slices: dict[str, dict[str, Endpoint]] = {}
    for index, found in enumerate(split):
        slices[f"s{index}"] = rows(*(number for number in found if number not in seen))
        seen.update(found)
    goal = {HTTP: rows(*wanted)} if wanted else {}
    made = plan(goal, [Existing(name, HTTP, found) for name, found in slices.items()])
    for name, found in made.updated.items():
        slices[name] = {row.pod: row for row in found}
    for name in made.deleted:
        del slices[name]
    for index, (_, found) in enumerate(made.created):
        slices[f"n{index}"] = {row.pod: row for row in found}
    joined = [row for found in slices.values() for row in found.values()]
    assert sorted(joined) == sorted(rows(*wanted).values())
    assert all(len(found) <= ENDPOINTS_MAX for found in slices.values())
    again = plan(goal, [Existing(name, HTTP, found) for name, found in slices.items()])
    assert again == Plan() or not any(slices.values())
