"""The tiers by name. Each is imported when it is asked for: the core tier needs no asyncio."""

from __future__ import annotations

from tests.sim.campaign import Tier


def tier_named(name: str) -> Tier:
    """ "core" or "whole"."""
    if name == "core":
        from tests.sim.core.events import MUST_HAPPEN
        from tests.sim.core.run import run

        return Tier("core", run, MUST_HAPPEN, fresh=False, full_from=1_000)
    if name == "whole":
        from tests.sim.whole.events import MUST_HAPPEN as WHOLE_MUST_HAPPEN
        from tests.sim.whole.run import run as run_whole

        return Tier("whole", run_whole, WHOLE_MUST_HAPPEN, fresh=True, full_from=150)
    raise ValueError(f"there is no tier {name}")
