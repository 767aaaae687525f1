"""Plants each bug in a copy of the source and lets the simulation look for it.

First the unchanged code must pass the seeds. Then, bug by bug, the named checker must find it in
the same seeds; what other checkers say is shown, and does not count.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.sim.mutants.planted import MUTANTS, SEEDS, Mutant

ROOT = Path(__file__).parents[3]
COPIED = ("api", "control", "tests/sim")


class NotPlantedError(Exception):
    """The text to be replaced is not there, or not once."""


def hunt(numbers: Sequence[str], workers: int) -> int:
    """Plant and find: all bugs, or those of these numbers. The exit status."""
    wanted = [mutant for mutant in MUTANTS if not numbers or str(mutant.number) in numbers]
    missed = 0
    for tier in sorted({mutant.tier for mutant in wanted}):
        if _run(ROOT, tier, ("--quiet",), workers):
            _say(f"the unchanged code does not pass seeds 1..{SEEDS} of tier {tier}")
            return 1
        _say(f"the unchanged code passes seeds 1..{SEEDS} of tier {tier}")
    for mutant in wanted:
        missed += not find(mutant, workers)
    _say(f"{len(wanted) - missed} of {len(wanted)} planted bugs were found")
    return 1 if missed else 0


def find(mutant: Mutant, workers: int) -> bool:
    """Plant one bug and look for it."""
    _say(f"{mutant.number} {mutant.what} → {'/'.join(mutant.checker)}")
    with tempfile.TemporaryDirectory(prefix="holdfast-mutant-") as place:
        copy(Path(place))
        plant(mutant, Path(place))
        return not _run(Path(place), mutant.tier, ("--expect", mutant.checker), workers)


def copy(place: Path) -> None:
    """The source that a simulation needs."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, place / name, ignore=ignore)
    (place / "holdfast").mkdir()
    for path in sorted((ROOT / "holdfast").iterdir()):
        if path.is_symlink() and (place / path.name).exists():
            (place / "holdfast" / path.name).symlink_to(path.readlink())
        elif path.is_file():
            shutil.copy(path, place / "holdfast" / path.name)


def plant(mutant: Mutant, place: Path) -> None:
    """Make the edits. Raises NotPlantedError."""
    for file, old, new in mutant.edits:
        path = place / file
        text = path.read_text() if path.exists() else ""
        if text.count(old) != 1:
            raise NotPlantedError(
                f"bug {mutant.number} cannot be planted: {file} has this text "
                f"{text.count(old)} times, not once: {old!r}"
            )
        path.write_text(text.replace(old, new))


def _run(place: Path, tier: str, options: Sequence[str], workers: int) -> int:
    command = [sys.executable, "-m", "tests.sim", "--seeds", f"1..{SEEDS}", *options]
    command += ["--workers", str(workers)] + (["--core"] if tier == "core" else [])
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=place, env=environment, check=False).returncode


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
