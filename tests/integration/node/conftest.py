from __future__ import annotations

import pytest

from tests.integration.node.lab import machine as made


@pytest.fixture(scope="module")
def machine():
    """One containerd for a module's tests."""
    with made() as here:
        yield here
