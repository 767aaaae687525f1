from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.rpc.serving import Site, site


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Site]:
    """A serving control node and its client."""
    async with site(tmp_path) as made:
        yield made
