"""Every planted bug of the list can be planted in the source as it stands."""

from __future__ import annotations

from collections import Counter

from tests.sim.mutants.hunt import ROOT
from tests.sim.mutants.planted import MUTANTS
from tests.sim.violations import Checker


def test_all_twenty_are_there_once() -> None:
    assert Counter(mutant.number for mutant in MUTANTS) == Counter(range(1, 21))


def test_their_texts_stand_in_the_source_exactly_once() -> None:
    missing = [
        f"{mutant.number}: {edit.file}: {edit.old!r}"
        for mutant in MUTANTS
        for edit in mutant.edits
        if (ROOT / edit.file).read_text().count(edit.old) != 1
    ]
    assert not missing, f"say how these bugs are planted now: {missing}"


def test_their_checkers_exist() -> None:
    letters = {str(checker) for checker in Checker}
    assert all(set(mutant.checker) <= letters for mutant in MUTANTS)
