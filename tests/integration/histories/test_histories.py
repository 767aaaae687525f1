"""Real control nodes under faults, judged by the simulation's checkers, on both engines."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.integration.histories.faults import Scenario
from tests.integration.histories.scene import run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

OPERATIONS_MIN = 50
FAULTS_MIN = 2
"""With less, a run shows nothing."""


@pytest.mark.parametrize("scenario", list(Scenario))
@pytest.mark.parametrize("engine", ["raft", "etcd"])
def test_what_clients_are_told_fits_what_happened(
    engine: str, scenario: Scenario, tmp_path: Path
) -> None:
    judged(engine, scenario, tmp_path)


def test_one_control_node_alone(tmp_path: Path) -> None:
    judged("single", Scenario.KILL, tmp_path)


def judged(engine: str, scenario: Scenario, keep: Path) -> None:
    """Run it once, under a seed of the day."""
    seed = secrets.randbelow(1_000_000)
    report = run(engine, scenario, seed, keep)
    print(f"seed {seed}: {report}")  # noqa: T201
    wrong = "\n".join(report.wrong)
    assert not wrong, f"seed {seed}, history in {keep}:\n{wrong}\nfaults: {report.faults}"
    assert report.answered >= OPERATIONS_MIN, f"seed {seed}, history in {keep}: {report}"
    assert len(report.faults) >= FAULTS_MIN, f"seed {seed}: {report}"
