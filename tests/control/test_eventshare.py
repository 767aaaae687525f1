"""Events are a bounded part of all writes; a quiet cluster tells all; refusals are counted."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.eventshare import FLOOR_PER_S, OTHERS_AN_EVENT, SAVED_MAX, EventShare


@dataclass
class Store:
    """Where it stands and how late it is."""

    changes: int = 0
    now: float = 0.0

    def share(self, saved: float = 0.0) -> EventShare:
        return EventShare(lambda: self.changes, lambda: self.now, saved)


def test_a_quiet_cluster_tells_everything() -> None:
    store = Store()
    share = store.share(SAVED_MAX)
    assert share.take(int(SAVED_MAX)) == SAVED_MAX
    assert share.take(1) == 0
    store.now += 1
    assert share.take(1000) == FLOOR_PER_S


def test_events_grow_with_the_other_writes_only() -> None:
    store = Store()
    share = store.share()
    store.changes += 100 * OTHERS_AN_EVENT
    assert share.take(1000) == 100
    store.changes += 100  # those events
    assert share.take(1000) == 0


def test_some_are_granted_always_and_made_up_for() -> None:
    store = Store()
    share = store.share()
    assert share.take(100, at_least=25) == 25
    store.changes += 25 + 100 * OTHERS_AN_EVENT
    assert share.take(1000) == 75


def test_what_is_refused_is_counted() -> None:
    share = Store().share(1.0)
    assert [share.admit(), share.admit()] == [True, False]
    assert share.refused == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 300)), max_size=60))
def test_never_more_than_the_share(steps: list[tuple[int, int]]) -> None:
    """Without time passing, whoever asks and whenever the events are written."""
    store = Store()
    share = store.share()
    told = others = 0
    for wanted, written in steps:
        store.changes += written
        others += written
        granted = share.take(wanted)
        store.changes += granted
        told += granted
    assert told <= others / OTHERS_AN_EVENT
