"""One status line for work that takes over a second, on standard error and only on a terminal.

    async with Progress("waiting for 3 objects") as progress:
        progress.text("waiting for 2 objects")
        progress.echo("pod/web deleted")

Lines for standard output go through `echo`, so that the status line never stands among them.
rich is imported when the line first shows: what ends within a second does not pay for it.
"""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner

DELAY_S = 1.0


class Progress:
    """A status line that appears after DELAY_S and is gone at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._live: Live | None = None
        self._begin: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        if sys.stderr.isatty():
            self._begin = asyncio.get_running_loop().call_later(DELAY_S, self._show)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._begin is not None:
            self._begin.cancel()
        if self._live is not None:
            self._live.stop()

    def text(self, text: str) -> None:
        """Say something else from now on."""
        self._text = text
        if self._live is not None:
            self._live.update(_spinner(text))

    def echo(self, line: str) -> None:
        """Print a line to standard output; the status line stays below."""
        if self._live is None:
            click.echo(line)
            return
        self._live.stop()
        click.echo(line)
        self._live.start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            _spinner(self._text),
            console=Console(stderr=True),
            transient=True,
            # Standard output may be a file: what is printed to it must get there.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()


def _spinner(text: str) -> Spinner:
    from rich.spinner import Spinner
    from rich.text import Text

    return Spinner("dots", text=Text(text))
