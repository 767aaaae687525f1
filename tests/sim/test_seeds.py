"""Seeds that failed once stay green, and a seed is the same run in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.core.run import run

ROOT = Path(__file__).parents[2]
DIGEST_SEEDS = "1..20"


def _seeds(tier: str) -> list[int]:
    lines = (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return [int(number) for name, number in words if name == tier]


def _sim(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.sim", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("seed", _seeds("core"))
def test_a_core_seed_that_failed_once(seed: int) -> None:
    assert run(seed).violations == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_core_seed_replays_itself(seed: int) -> None:
    assert run(seed).digest == run(seed).digest


@pytest.mark.integration
@pytest.mark.parametrize("seed", _seeds("whole"))
@pytest.mark.timeout(600)
def test_a_whole_seed_that_failed_once(seed: int) -> None:
    ended = _sim("--seeds", f"{seed}..{seed}", "--quiet")
    assert ended.returncode == 0, ended.stdout


@pytest.mark.integration
@pytest.mark.parametrize("tier", [["--core"], []], ids=["core", "whole"])
@pytest.mark.timeout(600)
def test_twenty_seeds_are_the_same_runs_in_every_process(tier: list[str]) -> None:
    one, two = (_sim(*tier, "--seeds", DIGEST_SEEDS, "--digests", hash_seed=h) for h in "12")
    assert one.returncode == two.returncode == 0
    assert one.stdout == two.stdout
    assert len(one.stdout.splitlines()) == 20
