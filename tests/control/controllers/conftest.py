from __future__ import annotations

import pytest

from tests.control.controllers.world import World


@pytest.fixture
async def world() -> World:
    """A booted cluster with one ready node and no controllers."""
    made = await World().boot()
    await made.node()
    return made
