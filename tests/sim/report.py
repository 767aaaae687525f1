"""What a run leaves: whether it held, what was seen, how much of it there was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.sim.violations import Violation


@dataclass
class Report:
    """One seed's run. void: why it proves nothing, "" when it does."""

    seed: int
    digest: str
    violations: Sequence[tuple[str, str]] = ()
    counts: dict[str, int] = field(default_factory=dict)
    void: str = ""
    lines: Sequence[str] = ()
    cpu_s: float = 0.0


def told(violations: Sequence[Violation]) -> list[tuple[str, str]]:
    """Violations as (checker, sentence), which can be sent between processes."""
    return [(str(one.checker), one.sentence) for one in violations]
