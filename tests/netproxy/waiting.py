"""Waiting for something to hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], most_s: float = 5.0) -> None:
    """Look every few milliseconds. Raises TimeoutError."""
    async with asyncio.timeout(most_s):
        while not holds():  # noqa: ASYNC110 — what is waited for has no event of its own
            await asyncio.sleep(0.002)
