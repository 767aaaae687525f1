"""Randomness by purpose and the trace's hash follow from the seed alone."""

from __future__ import annotations

from tests.sim.streams import Streams, Trace


def test_a_purpose_is_not_shifted_by_another() -> None:
    one, two = Streams(7), Streams(7)
    one["network"].random()
    assert one["clients"].random() == two["clients"].random()
    assert Streams(8)["clients"].random() != Streams(7)["clients"].random()


def test_the_hash_is_of_all_lines_not_only_of_those_kept() -> None:
    one, two = Trace(lines_max=1), Trace(lines_max=1)
    for line in ("a", "b"):
        one.note(line)
    for line in ("x", "b"):
        two.note(line)
    assert list(one.lines) == list(two.lines)
    assert one.digest != two.digest
