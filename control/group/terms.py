"""What only a leader does, term by term.

The engine tells every change of leadership (`turned`); `run` starts the leader's work once this
member leads and has applied the first entry of its own term, and ends it, cancelled and awaited,
before any other term's begins. Between the two the work may still try to write: its commits carry
its term and are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

Lead = Callable[[int], Coroutine[Any, Any, None]]
"""The work of one term, until cancelled. What it raises ends `Terms.run`."""


class View(Protocol):
    """How this member stands (raft.shell.seams.View)."""

    @property
    def term(self) -> int: ...

    @property
    def leads(self) -> bool: ...


class Terms:
    """Runs the leader's work. `turned` is given to the engine's watch."""

    def __init__(self, lead: Lead) -> None:
        self._lead = lead
        self._leading = 0  # the term in which this member leads, 0 = it does not
        self._change = asyncio.Event()  # set by turned and by work that ended; `run` waits
        self._working: asyncio.Task[None] | None = None

    def turned(self, view: View) -> None:
        """How this member stands has changed."""
        self._leading = view.term if view.leads else 0
        self._change.set()

    async def run(self) -> None:
        """Lead whenever it is this member's turn, until cancelled. Raises what the work raises."""
        term = 0
        try:
            while True:
                if term != self._leading:
                    await self._end(term)
                    term = self._leading
                    self._begin(term)
                self._change.clear()
                if term == self._leading:
                    self._check()
                    await self._change.wait()
        finally:
            await self._end(term)

    def _begin(self, term: int) -> None:
        if term:
            log.info("leads", term=term)
            self._working = asyncio.create_task(self._lead(term))
            self._working.add_done_callback(lambda _: self._change.set())

    def _check(self) -> None:
        """Work that ended by itself has failed."""
        if self._working is not None and self._working.done():
            self._working.result()
            raise RuntimeError("the leader's work came to an end")

    async def _end(self, term: int) -> None:
        working, self._working = self._working, None
        if working is None:
            return
        if not working.done():
            working.cancel()
            log.info("leads no more", term=term)
        await asyncio.gather(working, return_exceptions=True)
