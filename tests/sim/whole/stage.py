"""What all actors of one run share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.sim.history import History
from tests.sim.whole.network import Network
from tests.sim.whole.plan import Plan
from tests.sim.whole.truth import Truth
from tests.sim.whole.world import World


@dataclass
class Stage:
    """One run's clock, network, plan, and what is recorded of it. ending: who writes by itself
    begins nothing more, so that all can be level at the end."""

    plan: Plan
    world: World
    network: Network
    truth: Truth = field(default_factory=Truth)
    history: History = field(default_factory=History)
    ending: bool = False

    @property
    def counts(self) -> Counter[str]:
        """Events that happened, by name."""
        return self.network.counts
