"""Every script, published and our own, prints what it expects, on each kind of storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control.raft.scripts.interaction.logs import KINDS
from tests.control.raft.scripts.runs import kind, run

OWN = Path(__file__).parent / "data"
PUBLISHED = Path(__file__).parents[4] / "shared" / "raft-scripts"


def _cases(folder: Path) -> list[object]:
    """Each script once; those that write logs once a kind of storage."""
    if not folder.is_dir():
        skip = pytest.mark.skip(reason=f"{folder} is not on this machine")
        return [pytest.param(folder, "memory", marks=skip)]
    return [
        pytest.param(path, storage, id=f"{path.relative_to(folder)}-{storage}")
        for path in sorted(folder.rglob("*.txt"))
        for storage in (sorted(KINDS) if kind(path) == "interaction" else ["memory"])
    ]


@pytest.mark.parametrize(("path", "storage"), _cases(PUBLISHED))
def test_published_script(path: Path, storage: str) -> None:
    outcome = run(path, storage)
    assert not outcome.problem, outcome.problem


@pytest.mark.parametrize(("path", "storage"), _cases(OWN))
def test_own_script(path: Path, storage: str) -> None:
    outcome = run(path, storage)
    assert not outcome.problem, outcome.problem


@pytest.mark.parametrize(("path", "_storage"), [*_cases(PUBLISHED), *_cases(OWN)])
def test_rewriting_changes_nothing_that_counts(path: Path, _storage: str, tmp_path: Path) -> None:
    folder = tmp_path / kind(path)
    folder.mkdir()
    copy = folder / path.name
    rewritten = run(path).rewritten
    assert rewritten is not None
    copy.write_text(rewritten)
    again = run(copy)
    assert not again.problem
    assert again.rewritten == rewritten
