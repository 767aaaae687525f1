"""The README's tour, run as it stands there."""

from __future__ import annotations

import re

import pytest

from tests.integration.cluster.machine import ROOT, machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def tour() -> list[str]:
    """The commands of the README's tour, in order."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## A tour")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_tour_has_its_commands() -> None:
    lines = tour()
    assert any(line.startswith("bin/holdfast up --detach") for line in lines)
    assert any("apply -f examples/web.yaml" in line for line in lines)


def test_every_command_of_the_tour_works() -> None:
    with machine("tour") as here:
        for line in tour():
            output = here.run("bash", "-euo", "pipefail", "-c", line)
            if line.startswith("curl") or "wget" in line:
                assert "web-" in output, f"{line}: {output}"
