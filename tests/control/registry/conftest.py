from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.registry.world import World, world


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[World]:
    """A booted registry."""
    async with world(tmp_path / "data") as made:
        yield made
