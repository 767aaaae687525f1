"""A real node, scenario by scenario (see `scenarios`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.node.lab import machine as made
from tests.integration.node.scenarios import SCENARIOS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name):
    with made() as here:
        argv = here.inside(sys.executable, "-m", "tests.integration.node.scenarios", name)
        done = subprocess.run(
            [*argv, str(here.directory)], capture_output=True, text=True, cwd=ROOT, timeout=140
        )
        told = "".join(
            f"\n--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(here.directory.glob("*.log"))
        )
        if name == "away":
            here.stop()
            here.start()
        assert done.returncode == 0, done.stdout + done.stderr + told
