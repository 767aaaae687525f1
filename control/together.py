"""Parts that run side by side for as long as all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run these until cancelled, or until the first of them ends; then the others are cancelled,
    the last one first, and awaited.

    Raises what the first raised; RuntimeError when it just ended, for these run for good.
    """
    tasks = [asyncio.create_task(work) for work in works]
    first: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

    def ended(task: asyncio.Task[None]) -> None:
        if not first.done():
            first.set_result(task)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        culprit = await first
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    culprit.result()
    raise RuntimeError(f"{culprit.get_coro()} came to an end")
