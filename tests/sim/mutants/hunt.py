"""Plants each bug in a copy of the source and lets the simulation look for it.

Bug by bug, the named checker must find it; what other checkers say is shown, and does not count.
The unchanged code must pass: all the seeds first, when all bugs are looked for, and else each seed
that found one.
"""

from __future__ import annotations

import os
import re
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
    if not numbers:
        for tier in sorted({mutant.tier for mutant in wanted}):
            if not unchanged(tier, f"1..{SEEDS}", workers):
                return 1
    for mutant in wanted:
        seed = find(mutant, workers)
        missed += not (seed and (not numbers or unchanged(mutant.tier, seed, workers)))
    _say(f"{len(wanted) - missed} of {len(wanted)} planted bugs were found")
    return 1 if missed else 0


def unchanged(tier: str, seeds: str, workers: int) -> bool:
    """Whether the code as it is passes these seeds."""
    ended = _run(ROOT, tier, seeds, ("--quiet",), workers)
    passes = "does not pass" if ended.returncode else "passes"
    _say(f"{ended.stdout}the unchanged code {passes} seeds {seeds} of tier {tier}")
    return not ended.returncode


def find(mutant: Mutant, workers: int) -> str:
    """Plant one bug and look for it. The seed that found it, "" = none did."""
    _say(f"{mutant.number} {mutant.what} → {'/'.join(mutant.checker)}")
    with tempfile.TemporaryDirectory(prefix="holdfast-mutant-") as place:
        copy(Path(place))
        plant(mutant, Path(place))
        options = ("--expect", mutant.checker)
        ended = _run(Path(place), mutant.tier, f"1..{SEEDS}", options, workers)
    _say(ended.stdout.rstrip())
    found = re.search(r"^seed (\d+):", ended.stdout, re.MULTILINE)
    return found[1] if found and not ended.returncode else ""


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


def _run(
    place: Path, tier: str, seeds: str, options: Sequence[str], workers: int
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.sim", "--seeds", seeds, *options]
    command += ["--workers", str(workers)] + (["--core"] if tier == "core" else [])
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=place, env=environment, check=False, text=True, stdout=subprocess.PIPE
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
