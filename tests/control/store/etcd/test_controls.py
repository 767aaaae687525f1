"""Who may be on the list of control nodes of one etcd."""

from __future__ import annotations

import pytest

from holdfast.control.store.etcd.controls import CONTROLS_MAX, ControlsError, joined, left
from holdfast.control.store.etcd.stored.values import Control, Controls

A, B = Control(7, "a", ("h:1",)), Control(8, "b", ("h:2",))


def test_the_list_is_by_name_and_has_each_once() -> None:
    both = joined(joined(Controls(), B, "ours"), A, "ours")
    assert both == Controls("ours", (A, B))
    assert joined(both, A, "ours") == both
    moved = A._replace(endpoints=("h:3",))
    assert joined(both, moved, "ours").known == (moved, B)
    renamed = A._replace(name="c")
    assert joined(both, renamed, "ours").known == (B, renamed)


def test_who_leaves_is_not_on_it() -> None:
    both = Controls("ours", (A, B))
    assert left(both, A.id) == Controls("ours", (B,))
    assert left(both, 9) == both


@pytest.mark.parametrize(
    ("control", "authority", "told"),
    [
        (Control(9, "a", ()), "ours", 'another control node is called "a": choose another --name'),
        (Control(9, "c", ()), "theirs", "have another authority than this one"),
    ],
)
def test_strangers_are_refused(control: Control, authority: str, told: str) -> None:
    with pytest.raises(ControlsError, match=told):
        joined(Controls("ours", (A, B)), control, authority)


def test_there_are_not_too_many() -> None:
    known = tuple(Control(number, f"c{number}", ()) for number in range(1, CONTROLS_MAX + 1))
    with pytest.raises(ControlsError, match="remove one first"):
        joined(Controls("ours", known), Control(99, "z", ()), "ours")
    assert joined(Controls("ours", known), known[3], "ours").known == known
